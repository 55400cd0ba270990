library(parallel)
x <- mclapply(1:4, sqrt, mc.cores = 4)
print(mean(unlist(x)))
