"""Calls of an executor: what they carry, and the threads that give them to workers and complete their futures."""
