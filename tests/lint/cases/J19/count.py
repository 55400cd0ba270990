"""Needs no memory."""

print(sum(range(10)))
