library(parallel)
# mclapply(1:4, sqrt)
x <- mclapply(1:4, function(i) tryCatch(sqrt(i), error = function(e) NA))
