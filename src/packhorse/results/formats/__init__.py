"""Readers of result files: the bytes of one file to rows."""
