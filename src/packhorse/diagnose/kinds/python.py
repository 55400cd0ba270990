"""What Python says."""

from packhorse.diagnose.kind import Kind

KINDS = (
    Kind(
        id="python-package",
        patterns=(r"(?:ModuleNotFoundError|ImportError): No module named '?(?P<name>[\w.]+)",),
        sentence="The Python package {name} is not installed in the environment that the job uses.",
        remedy="Activate your environment in the script, or install the package there.",
    ),
    Kind(
        id="numpy-binary",
        patterns=(
            r"numpy\.(?:dtype|ndarray) size changed",
            r"compiled using NumPy 1\.x cannot be run in NumPy 2",
            r"numpy\.core\.multiarray failed to import",
        ),
        sentence="A compiled package was built for another version of NumPy.",
        remedy="Install it again together with NumPy, or fix numpy<2.",
    ),
    Kind(
        id="python-import",
        patterns=(r"ImportError: cannot import name '(?P<name>\w+)' from '(?P<module>[\w.]+)'",),
        sentence="{module} has no {name}: another version is installed, or a file of yours has its name.",
        remedy="Compare versions with pip list; rename a file of yours that is called like a package.",
        sure="likely",
    ),
    Kind(
        id="python-memory",
        patterns=(r"Unable to allocate (?P<size>[\d.]+ \wiB)", r"^MemoryError\b", r"std::bad_alloc"),
        sentence="The program asked for more memory than the job has {size}.",
        remedy="Ask for more memory, or use smaller arrays (float32, sparse, chunks).",
        change="memory",
    ),
    Kind(
        id="python-pool-killed",
        patterns=(
            r"BrokenProcessPool|TerminatedWorkerError",
            r"A worker process managed by the executor was unexpectedly terminated",
        ),
        sentence="A process of the pool was killed, most often since memory was short.",
        remedy="Ask for more memory, or start fewer processes.",
        sure="likely",
        change="memory",
    ),
    Kind(
        id="python-main-guard",
        patterns=(r"An attempt has been made to start a new process before", r"freeze_support\(\)"),
        sentence="The script starts processes when it is imported.",
        remedy='Put what it runs below: if __name__ == "__main__":',
        weight="root",
    ),
    Kind(
        id="python-index-variable",
        patterns=(r"KeyError: '(?P<name>SLURM_ARRAY_TASK_ID|PBS_ARRAYID|PBS_ARRAY_INDEX|SGE_TASK_ID)'",),
        sentence="The program reads the index {name}, but the job is not an array of this scheduler.",
        remedy="Submit it with an array (#SBATCH --array=1-10); packhorse translate rewrites it for another scheduler.",
    ),
    Kind(
        id="python-variable",
        patterns=(r"KeyError: '(?P<name>[A-Z][A-Z0-9_]{2,})'",),
        sentence="The program reads the variable {name}, which the job does not have.",
        remedy="export {name}=... in the script, before the program.",
        sure="possible",
    ),
    Kind(
        id="python-syntax",
        patterns=(r"^(?:SyntaxError|IndentationError|TabError): (?P<what>.+)",),
        sentence="Python cannot read the program: {what}",
        remedy="Check the version of Python in the job (python --version), then the line.",
    ),
    Kind(
        id="program-arguments",
        patterns=(
            r"error: (?P<what>the following arguments are required: .+|unrecognized arguments: .+|argument .+: invalid .+)",
        ),
        sentence="The program was called with other arguments than it takes: {what}",
        remedy="Compare the command in the script with PROGRAM --help; is a variable of the command empty?",
    ),
    Kind(
        id="python-encoding",
        patterns=(r"Unicode(?:Decode|Encode)Error: '(?P<codec>[^']+)' codec",),
        sentence="A text is not in the encoding {codec} that Python assumes; a job may have no UTF-8 locale.",
        remedy='export LC_ALL=C.UTF-8 in the script, or open(..., encoding="utf-8").',
        sure="likely",
    ),
    Kind(
        id="display",
        patterns=(
            r"no display name and no \$DISPLAY",
            r"could not connect to display",
            r"Could not load the Qt platform plugin",
            r"unable to open connection to X11 display",
        ),
        sentence="The program opens a window, and a job has no screen.",
        remedy="export MPLBACKEND=Agg for matplotlib, or start it with xvfb-run.",
    ),
    Kind(
        id="python-recursion",
        patterns=(r"RecursionError: maximum recursion depth",),
        sentence="A function calls itself without end, or very deeply.",
        remedy="Check the condition that ends it.",
    ),
    Kind(
        id="numpy-removed",
        patterns=(r"AttributeError: [`]?(?:module 'numpy' has no attribute '|np\.)(?P<name>\w+)",),
        sentence="NumPy has no {name} any more: the program was written for an older version.",
        remedy="Write {name} without np. (float, int, bool), or install numpy<1.24.",
    ),
    Kind(
        id="output-lost",
        sentence="The last lines that Python printed are lost: they were still in its buffer when the job was ended.",
        remedy="Start it with python -u, or export PYTHONUNBUFFERED=1.",
        sure="likely",
        weight="consequence",
        change="unbuffered",
    ),
    Kind(
        id="python-error",
        patterns=(r"^(?P<what>(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Interrupt): .+|\w*(?:Error|Exception))$",),
        sentence="The Python program raised an error: {what}",
        remedy="The lines above it show where; run that case alone to repeat it.",
        weight="consequence",
    ),
)
