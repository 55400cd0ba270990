result <- NULL
for (i in 1:100) {
  result <- rbind(result, data.frame(i = i))
}
