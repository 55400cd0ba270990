"""Files and storage."""

from packhorse.diagnose.kind import Kind

KINDS = (
    Kind(
        id="quota",
        patterns=(r"Disk quota exceeded(?:: '?(?P<path>[^'\s]+))?",),
        sentence="Your quota is used up{path}, in bytes or in number of files.",
        remedy="Remove or move files (packhorse du shows runs), or write to scratch or project storage.",
        weight="root",
    ),
    Kind(
        id="disk-full",
        patterns=(r"No space left on device",),
        sentence="The storage to which the job writes is full.",
        remedy="Write elsewhere; if it is the node's /tmp, set TMPDIR to scratch storage.",
        weight="root",
    ),
    Kind(
        id="read-only",
        patterns=(
            r"(?P<path>[^\s:']+)'?: Read-only file system",
            r"Read-only file system: '(?P<path>[^']+)'",
        ),
        sentence="The job writes to storage that is read-only on the node: {path}.",
        remedy="Write to scratch or project storage; some sites mount homes read-only on nodes.",
    ),
    Kind(
        id="folder-missing",
        patterns=(r"line \d+: cd: (?P<path>.+): No such file or directory",),
        sentence="The folder {path} does not exist on the node, so the commands after cd ran elsewhere.",
        remedy="Correct the path, and write cd FOLDER || exit.",
        weight="root",
    ),
    Kind(
        id="program-file-missing",
        patterns=(
            r"can't open file '(?P<path>[^']+)': \[Errno 2\]",
            r"Fatal error: cannot open file '(?P<path>[^']+)': No such file",
            r"Could not find or load main class (?P<path>\S+)",
        ),
        sentence="The program file {path} does not exist in the folder in which the job works.",
        remedy="Check its name; the job works where it was submitted (PBS: in your home, until cd $PBS_O_WORKDIR).",
    ),
    Kind(
        id="file-missing",
        patterns=(
            r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<path>[^']+)'",
            r"cannot open (?:compressed )?file '(?P<path>[^']+)'",
            r"^(?!ls|rm)\w+: (?:cannot \w+ (?:'|‘)?)?(?P<path>[^:'’]+?)(?:'|’)?: No such file or directory",
            r"line \d+: (?P<path>\S+): No such file or directory",
        ),
        sentence="The file {path} does not exist in the folder in which the job works.",
        remedy="Check the path, upload the file, or start the job in the folder with the data.",
    ),
    Kind(
        id="file-permission",
        patterns=(
            r"PermissionError: \[Errno 13\] Permission denied: '(?P<path>[^']+)'",
            r"cannot (?:touch|open|create \w+) '(?P<path>[^']+)'.*: Permission denied",
        ),
        sentence="You may not read or write {path}.",
        remedy="Check the path and its rights: ls -ld. Nodes may not reach all storage of the login node.",
    ),
    Kind(
        id="too-many-files",
        patterns=(r"Too many open files",),
        sentence="The program has more files open than is allowed.",
        remedy="Close files when they are done, or raise the limit: ulimit -n 4096 before the program.",
    ),
    Kind(
        id="file-truncated",
        patterns=(
            r"gzip: (?P<path>.+): unexpected end of file",
            r"not in gzip format",
            r"UnpicklingError: pickle data was truncated",
            r"JSONDecodeError: (?:Expecting|Unterminated)",
            r"EOFError: (?:Ran out of input|Compressed file ended)",
            r"unable to open file \(truncated file",
        ),
        sentence="A file that the job reads is cut off or of another format{path}.",
        remedy="Make it again; another job may have been killed while it wrote it. Write to a temporary name, then rename.",
        sure="likely",
    ),
    Kind(
        id="file-locked",
        patterns=(r"unable to lock file, errno = \d+", r"database is locked", r"No locks available"),
        sentence="Several tasks use one file at a time, or its storage has no locks.",
        remedy="Let each task write a file of its own; for HDF5 that is only read: export HDF5_USE_FILE_LOCKING=FALSE.",
    ),
)
