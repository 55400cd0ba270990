"""Provenance: the code, the software and the machine that a result depends on."""
