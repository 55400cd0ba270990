"""Planning, a pure stage: missing tasks become waves, and jobs are checked against the limits of a site."""
