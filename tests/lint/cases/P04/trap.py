"""A program of a case."""
kinds = ["a", "b"]
found = []
for word in open("words.txt"):
    if word in kinds:
        found.append(word)
print("x" in found)
