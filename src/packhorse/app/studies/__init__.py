"""Use cases about study files: init, plan, try."""
