"""The user's project: study sources, sites, names, reports of progress."""
