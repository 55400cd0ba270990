x <- numeric(1000)
for (i in 1:1000) {
  x[i] <- i^2
}
