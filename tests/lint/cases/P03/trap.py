"""A program of a case."""
import csv


class Table:
    def iterrows(self):
        return csv.reader(open("a.csv"))


for row in Table().iterrows():
    print(row)
