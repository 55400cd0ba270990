"""A program of a case."""
import numpy

print(numpy.ones(3))
