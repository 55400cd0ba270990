task <- as.integer(Sys.getenv("SLURM_ARRAY_TASK_ID"))
n <- c(10, 20, 40, 80)[task]
set.seed(task)
p <- replicate(200, t.test(rnorm(n, mean = 0.5))$p.value)
write.csv(data.frame(n = n, power = mean(p < 0.05)), paste0("part-", task, ".csv"), row.names = FALSE)
