"""Running: the run directory, snapshots, environments and this machine's workers."""
