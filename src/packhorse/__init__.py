"""Packhorse carries a research script over its parameters and brings one trustworthy table home."""
