"""Interpreters, programs and processes on this machine."""
