"""Texts as people write them: YAML with positions, units, and tables of keys. Pure; stages read through it."""
