"""Texts as people write them: YAML with positions, and units. Pure; stages read through it."""
