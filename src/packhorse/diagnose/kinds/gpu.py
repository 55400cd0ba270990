"""GPUs and MPI."""

from packhorse.diagnose.kind import Kind

KINDS = (
    Kind(
        id="gpu-memory",
        patterns=(
            r"CUDA out of memory(?:\. Tried to allocate (?P<size>[\d.]+ \wiB))?",
            r"CUDA_ERROR_OUT_OF_MEMORY",
            r"CUBLAS_STATUS_ALLOC_FAILED",
            r"RESOURCE_EXHAUSTED: .*(?:[Oo]ut of memory|OOM)",
        ),
        sentence="The GPU's memory is full; more --mem does not help.",
        remedy="Use smaller batches or mixed precision, or ask for a GPU with more memory.",
        weight="root",
    ),
    Kind(
        id="gpu-none",
        patterns=(
            r"Found no NVIDIA driver",
            r"No CUDA GPUs are available",
            r"no CUDA-capable device is detected",
            r"CUDA_ERROR_NO_DEVICE",
            r"Torch not compiled with CUDA enabled",
        ),
        sentence="The program finds no GPU: the job did not ask for one, or its packages are without GPU support.",
        remedy="Ask for one (#SBATCH --gpus-per-node=1, in a GPU partition), and install the CUDA build of the package.",
        weight="root",
    ),
    Kind(
        id="gpu-driver",
        patterns=(
            r"CUDA driver version is insufficient",
            r"The NVIDIA driver on your system is too old",
            r"no kernel image is available for execution",
        ),
        sentence="The program's CUDA version does not fit the node's driver or GPU.",
        remedy="Install the package for the CUDA version that nvidia-smi shows on the node.",
    ),
    Kind(
        id="mpi-slots",
        patterns=(r"There are not enough slots available in the system",),
        sentence="mpirun is to start more processes than the job has.",
        remedy="Let mpirun -np fit --ntasks (select=N:mpiprocs=M), or leave -np out.",
    ),
    Kind(
        id="mpi-abort",
        patterns=(
            r"MPI_ABORT was invoked on rank (?P<rank>\d+)",
            r"application called MPI_Abort",
            r"BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES",
        ),
        sentence="A process of the MPI program ended with an error, and the others were stopped.",
        remedy="Look above this line for the first error of one process.",
        sure="likely",
        weight="consequence",
    ),
)
