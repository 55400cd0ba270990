"""Provenance: what a result was made from, with and on."""
