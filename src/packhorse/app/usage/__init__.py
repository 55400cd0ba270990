"""What runs use: a pilot before them, their cost after them."""
