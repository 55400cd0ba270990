"""Jobs on a batch system: render, submit, monitor, look up."""
