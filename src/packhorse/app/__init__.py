"""The use cases: each wires the stages for one thing a user wants."""
