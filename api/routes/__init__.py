"""One module a noun; a route translates, calls one journey, and translates back."""
