suppressPackageStartupMessages(library(doParallel))
source(system("packhorse r", intern = TRUE)); registerDoPackhorse()
set.seed(1)

power <- function(n) {
  p <- replicate(200, t.test(rnorm(n, mean = 0.5))$p.value)
  mean(p < 0.05)
}
table <- foreach(n = c(10, 20, 40, 80), .combine = rbind) %dopar% data.frame(n = n, power = power(n))
write.csv(table, "power.csv", row.names = FALSE)
