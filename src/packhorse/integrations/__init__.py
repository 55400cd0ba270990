"""Packhorse behind the interfaces of other libraries."""
