"""A program of a case."""
print(sum(range(10)))
