# Bootstrap of the mean waiting time between eruptions of Old Faithful.
# Usage: Rscript mean.R ID     (written for an array of 40 jobs, 250 resamples each)
args <- commandArgs(trailingOnly = TRUE)
id <- as.integer(args[1])
set.seed(20260000 + id)

waiting <- faithful$waiting
means <- replicate(250, mean(sample(waiting, replace = TRUE)))

dir.create("results", showWarnings = FALSE)
write.csv(
  data.frame(resamples = length(means), mean = mean(means), se = sd(means)),
  paste0("results/mean_", id, ".csv"),
  row.names = FALSE
)
