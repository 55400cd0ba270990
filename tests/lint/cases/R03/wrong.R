x <- c()
for (i in 1:1000) {
  x <- c(x, i^2)
}
