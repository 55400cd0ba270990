"""A program of a case."""
import pandas as pd

frame = pd.read_csv("a.csv")
for row in frame.itertuples():
    print(row.x)
