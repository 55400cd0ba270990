"""A program of a case."""
import random

random.seed(42)
print(random.random())
