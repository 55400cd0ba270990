"""Calls as tasks of a run on this machine, made by a worker that stays up."""
