f <- function() {
  cl <- parallel::makeCluster(4)
  on.exit(parallel::stopCluster(cl))
  parallel::parLapply(cl, 1:4, sqrt)
}
