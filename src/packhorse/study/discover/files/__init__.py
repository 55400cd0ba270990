"""The files that a script writes, as templates of their names."""
