"""Works for days."""

total = 0.0
for k in range(10**12):
    total += 1 / (k + 1)
print(total)
