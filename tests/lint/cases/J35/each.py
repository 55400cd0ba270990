"""Writes a file for each task."""

import sys

import pandas as pd

index = int(sys.argv[1])
frame = pd.DataFrame({"index": [index]})
if index == 1:
    frame.to_csv("columns.csv")
frame.to_csv(f"result_{index}.csv")
