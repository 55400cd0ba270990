"""The GPUs of a slot: its own part of those that the job was given, as the environment names them."""

# What CUDA, ROCm, OpenCL on AMD and Level Zero look at: lists with commas.
LISTS = (
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "ZE_AFFINITY_MASK",
)
SLURM = (
    "SLURM_JOB_GPUS"  # numbers on the node; the only list where a site's Slurm leaves the others to the job
)


def part(environ, gpus, slot):
    """Return the variables that give a slot its own `gpus` GPUs; nothing where tasks ask for none, or nothing names them.

    Where there are more slots than GPUs, which is on nobody's machine but the user's own, they share them evenly.
    """
    lists = {name: environ[name] for name in LISTS if environ.get(name)}
    if not lists:
        lists = {"CUDA_VISIBLE_DEVICES": environ.get(SLURM, "")}
    found = {}
    for name, said in lists.items():
        known = [one for one in said.split(",") if one]
        shares = len(known) // gpus if gpus else 0
        if shares:
            first = slot % shares * gpus
            found[name] = ",".join(known[first : first + gpus])
    return found
