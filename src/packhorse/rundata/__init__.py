"""What a run directory says: outcomes, progress, failures, table."""
