"""Slots, which run one task at a time: a launcher of commands or a server of functions, and the worker's side of both."""
