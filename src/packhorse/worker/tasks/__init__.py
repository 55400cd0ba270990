"""One task: its values, environment, files, checkpoint and result."""
