"""Warm starts: tasks that are forked from an interpreter that has their modules loaded already."""
