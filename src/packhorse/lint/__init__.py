"""Checks of job scripts and of the Python and R source that they run; each rule is one function in `rules`."""
