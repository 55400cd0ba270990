# detectCores()
cores <- as.integer(Sys.getenv("SLURM_CPUS_PER_TASK", parallel::detectCores()))
