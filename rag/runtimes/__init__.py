"""What runs the model: `choose` picks and keeps it, `fast` and `plain` are the choices, `prepare` measures them."""
