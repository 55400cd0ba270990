"""Text that people write: YAML with positions, amounts with units, and tables of keys. No I/O."""
