"""How many cores a script uses, as its text shows."""
