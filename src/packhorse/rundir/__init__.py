"""The run directory: its files, locks, leases and submissions."""
