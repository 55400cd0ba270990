"""Continues where it stopped."""

import os

start = int(open("checkpoint.txt").read()) if os.path.exists("checkpoint.txt") else 0
print(start)
