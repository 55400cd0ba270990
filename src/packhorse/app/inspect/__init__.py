"""Use cases that read runs: status, logs, explain, tables."""
