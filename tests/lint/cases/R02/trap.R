result <- data.frame()
result <- rbind(result, data.frame(i = 1))
for (i in 1:3) {
  # result <- rbind(result, 1)
  print("result <- rbind(result, 1)")
  pair <- rbind(result, i)
}
