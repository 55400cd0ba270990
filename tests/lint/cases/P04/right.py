"""A program of a case."""
seen = set()
for word in open("words.txt"):
    if word not in seen:
        seen.add(word)
