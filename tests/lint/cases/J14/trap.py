"""A program of a case."""
import os

cores = int(os.environ.get("SLURM_CPUS_PER_TASK", os.cpu_count()))
# multiprocessing.cpu_count()
print(cores)
