library(parallel)
cores <- detectCores()
