# A bracket in a text: (
cat("c(1, 2")
total <- 0
for (i in 1:3) # (
	total <- total + i
