"""Task environments: interpreters, packages and programs, on this machine and on sites."""
