"""A program of a case."""
import numpy as np

rows = []
for i in range(1000):
    rows.append(i)
x = np.array(rows)
