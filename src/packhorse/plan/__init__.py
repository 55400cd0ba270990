"""Planning, a pure stage: what is missing becomes waves."""
