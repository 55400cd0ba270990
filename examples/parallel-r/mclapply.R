library(parallel)
RNGkind("L'Ecuyer-CMRG")
set.seed(1)

power <- function(n) {
  p <- replicate(200, t.test(rnorm(n, mean = 0.5))$p.value)
  mean(p < 0.05)
}
sizes <- c(10, 20, 40, 80, 10, 20, 40, 80)
result <- mclapply(sizes, power, mc.cores = 8)
write.csv(data.frame(n = sizes, power = unlist(result)), "power.csv", row.names = FALSE)
