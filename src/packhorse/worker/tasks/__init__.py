"""One task: its values, environment, folders, files, checkpoint and result."""
