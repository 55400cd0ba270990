"""Studies from existing job scripts: what a script does for each index, and the study that does the same."""
