"""A program of a case."""
import numpy as np

x = np.array([])
for i in range(1000):
    x = np.append(x, i)
