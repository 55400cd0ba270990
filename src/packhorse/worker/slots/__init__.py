"""Slots, each running one task at a time: a launcher of commands or a server of functions."""
