"""A program of a case."""
import numpy as np

x = np.zeros(3)
x = np.append(x, 1)
for i in range(3):
    y = np.concatenate([x, [i]])
    print(y)
