"""The lines of a drafted study."""
