"""A program of a case."""
seen = []
for word in open("words.txt"):
    if word not in seen:
        seen.append(word)
