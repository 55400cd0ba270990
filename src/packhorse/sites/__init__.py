"""Site files: the clusters and machines that run jobs, as shipped or written by a user. No I/O."""
