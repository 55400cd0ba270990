library(parallel)
cl <- makeCluster(4)
x <- parLapply(cl, 1:4, sqrt)
stopCluster(cl)
