"""A program of a case."""
import pytorch

print(pytorch)
