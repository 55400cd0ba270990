"""Read a script in Python or R: its parameters, seed and results, for the first draft of its study."""
