"""Reads a database, and writes a file for each task."""

import sqlite3
import sys

rows = sqlite3.connect("inputs.db").execute("SELECT x FROM t").fetchall()
with open(f"result_{sys.argv[1]}.csv", "w") as file:
    file.write(f"{len(rows)}\n")
