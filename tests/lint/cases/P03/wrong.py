"""A program of a case."""
import pandas as pd

frame = pd.read_csv("a.csv")
for index, row in frame.iterrows():
    print(index, row.x)
