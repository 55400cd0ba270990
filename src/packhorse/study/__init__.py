"""Studies: parse a study file, or the same keys given in Python, into a checked Study. No I/O of its own."""
