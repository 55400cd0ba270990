"""What R says."""

from packhorse.diagnose.kind import Kind

KINDS = (
    Kind(
        id="r-package",
        patterns=(r"there is no package called (?:‘|'|\")(?P<name>[\w.]+)",),
        sentence="The R package {name} is not installed in the library that the job uses.",
        remedy='install.packages("{name}") on the login node with the R of the job; .libPaths() shows its library.',
    ),
    Kind(
        id="r-package-version",
        patterns=(
            r"package (?:‘|')(?P<name>[\w.]+)(?:’|') was installed (?:before R|by an R version with different internals)",
            r"namespace (?:‘|')(?P<name>[\w.]+)(?:’|') \S+ is (?:being loaded|already loaded), but",
        ),
        sentence="The R package {name} was installed for another version of R, or is too old for another package.",
        remedy="Install it again with the R of the job, in a library for this version.",
    ),
    Kind(
        id="r-function",
        patterns=(r"could not find function \"(?P<name>[^\"]+)\"",),
        sentence="R does not know the function {name}: its package is not loaded, or a file is not sourced.",
        remedy="library(PACKAGE), or source() the file that defines it; on workers of a cluster clusterExport it.",
    ),
    Kind(
        id="r-object",
        patterns=(r"object '(?P<name>[^']+)' not found",),
        sentence="R has no object {name}.",
        remedy="Define it in the script: a job does not load your saved workspace with --vanilla, and should not.",
    ),
    Kind(
        id="r-memory",
        patterns=(
            r"cannot allocate vector of size (?P<size>[\d.]+ \w+)",
            r"R_alloc|memory exhausted \(limit reached",
        ),
        sentence="R asked for a vector of {size}, more than the memory of the job.",
        remedy="Ask for more memory, or work on parts of the data.",
        change="memory",
    ),
    Kind(
        id="r-syntax",
        patterns=(r"^Error: unexpected (?P<what>.+?)(?: in:?.*)?$", r"^Error in parse"),
        sentence="R cannot read the script: an unexpected {what}; a bracket, comma or quote is missing.",
        remedy="The lines below the error show the place.",
    ),
    Kind(
        id="r-missing-argument",
        patterns=(
            r"missing value where TRUE/FALSE needed",
            r"argument is of length zero",
            r"NAs introduced by coercion",
        ),
        sentence="A value is missing (NA), often an argument of the command line or an index that was not passed.",
        remedy="Print commandArgs(trailingOnly = TRUE) and the index at the start, and stop if they are missing.",
        sure="possible",
    ),
    Kind(
        id="r-subscript",
        patterns=(r"subscript out of bounds", r"undefined columns selected"),
        sentence="An index or column does not exist, often since the task's index is larger than a list.",
        remedy="Compare the array's range with the length of the list.",
        sure="possible",
    ),
    Kind(
        id="r-worker-killed",
        patterns=(
            r"scheduled cores? .*did not deliver results?",
            r"error (?:reading|writing) from connection|unserialize\(node\$con\)",
        ),
        sentence="A worker of R died, most often since memory was short.",
        remedy="Ask for more memory, or use fewer cores: each worker may copy the data.",
        sure="likely",
        weight="root",
        change="memory",
    ),
    Kind(
        id="r-error",
        patterns=(r"^Error(?: in .+?)?\s?: (?P<what>.+)", r"^Error in .*:\s*$"),
        sentence="The R program stopped: {what}",
        remedy="options(error = traceback) at its start shows where.",
        weight="consequence",
    ),
)
