"""Ways in: HTTP, the page, the command line. Each translates, calls one journey, and translates back."""
