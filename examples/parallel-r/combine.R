parts <- list.files(".", "^part-[0-9]+[.]csv$")
table <- do.call(rbind, lapply(parts, read.csv))
write.csv(table[order(table$n), c("n", "power")], "power.csv", row.names = FALSE)
