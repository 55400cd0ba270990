x <- c(1, 2)
x <- c(x, 3)
for (i in 1:3) {
  y <- c(x, i)
}
