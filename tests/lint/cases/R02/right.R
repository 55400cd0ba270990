rows <- vector("list", 100)
for (i in 1:100) {
  rows[[i]] <- data.frame(i = i)
}
result <- do.call(rbind, rows)
