"""The GPUs of a slot: its part of the GPUs of the job, as the environment names them."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Lists with commas that CUDA, ROCm, OpenCL on AMD and Level Zero read.
LISTS = (
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "ZE_AFFINITY_MASK",
)
SLURM = "SLURM_JOB_GPUS"  # numbers on the node; the only list at sites whose Slurm sets no other


def gpu_variables(environ: "Mapping[str, str]", gpus: "int | None", slot: int) -> "dict[str, str]":
    """Return the variables that give a slot its own `gpus` GPUs; none if tasks need no GPU or no variable names them.

    If there are more slots than GPUs, which happens only on the user's own machine, they share them evenly.
    """
    lists = {name: environ[name] for name in LISTS if environ.get(name)}
    if not lists:
        lists = {"CUDA_VISIBLE_DEVICES": environ.get(SLURM, "")}
    variables = {}
    for name, value in lists.items():
        devices = [device for device in value.split(",") if device]
        shares = len(devices) // gpus if gpus else 0
        if gpus and shares:
            first = slot % shares * gpus
            variables[name] = ",".join(devices[first : first + gpus])
    return variables
