library(parallel)
x <- mclapply(1:4, sqrt, mc.cores = 4)
stopifnot(!any(vapply(x, inherits, TRUE, "try-error")))
