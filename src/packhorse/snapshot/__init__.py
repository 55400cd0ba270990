"""The snapshot: which files are code or data, their digests, and the archive."""
