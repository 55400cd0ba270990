"""Rules of R source: cores, clusters, and objects that grow in loops."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.lint.rule import Note, rule
from packhorse.lint.source import RSource


def _at(source: RSource, match: re.Match[str], message: str, advice: str = "") -> Note:
    line, column = source.place(match.start())
    return Note(message=message, line=line, column=column, advice=advice)


@rule("R01", "hint", "The program counts the cores of the machine, not those of the job.", kind="r")
def detect_cores(source: RSource) -> Iterator[Note]:
    """Count the cores that the job has: `parallelly::availableCores()`.

    `detectCores()` is the number of the whole node. With four requested cores of 128, 128 processes share the four, and
    the memory of 128 processes is needed. J14 is the same rule for Python.

    The rule is silent where the source asks for a variable of the scheduler as well.
    """
    if re.search(r"availableCores|SLURM_|PBS_|NSLOTS", source.text):
        return
    for match in re.finditer(r"\bdetectCores\s*\(", source.code):
        yield _at(
            source,
            match,
            "detectCores() is the number of cores of the whole node",
            "parallelly::availableCores()",
        )


@rule("R02", "hint", "A data frame grows in a loop.", kind="r")
def growing_frame(source: RSource) -> Iterator[Note]:
    """Collect the rows in a list, and bind once: `do.call(rbind, rows)`.

    `result <- rbind(result, row)` copies all rows at each step, so that the time grows with the square of the number of
    steps.

    Example: `rows[[i]] <- row` in the loop, `result <- do.call(rbind, rows)` below.
    """
    for match in source.in_loops(r"\b([\w.]+)\s*(?:<-|=)\s*(rbind|cbind|bind_rows)\s*\(\s*\1\s*,"):
        yield _at(source, match, f"{match[2]} copies all of {match[1]} at each step of the loop")


@rule("R03", "hint", "A vector grows in a loop.", kind="r")
def growing_vector(source: RSource) -> Iterator[Note]:
    """Make the vector before the loop: `x <- numeric(n)`, then `x[i] <- value`; or use `vapply`.

    `x <- c(x, value)` and `x <- append(x, value)` copy the vector at each step, so that the time grows with the square
    of the number of steps.
    """
    for match in source.in_loops(r"\b([\w.]+)\s*(?:<-|=)\s*(c|append)\s*\(\s*\1\s*,"):
        yield _at(source, match, f"{match[1]} is copied at each step of the loop", f"{match[1]}[i] <- value")


@rule("R04", "hint", "A cluster of processes is not stopped.", kind="r")
def open_cluster(source: RSource) -> Iterator[Note]:
    """Stop what `makeCluster()` starts: `on.exit(stopCluster(cl))` in the function, or `stopCluster(cl)` at the end.

    Worker processes that are left behind keep the memory and the cores of the job until it ends.
    """
    if "stopCluster" in source.code or "autoStop" in source.code:
        return
    for match in re.finditer(r"\b(?:makeCluster|makePSOCKcluster|makeForkCluster)\s*\(", source.code):
        yield _at(source, match, "the cluster is not stopped", "on.exit(stopCluster(cl))")
        return


@rule("R05", "hint", "Errors of mclapply are not looked for.", kind="r")
def unchecked_mclapply(source: RSource) -> Iterator[Note]:
    """Check what `mclapply()` returns: `stopifnot(!any(vapply(x, inherits, TRUE, "try-error")))`.

    A process that fails gives an object of class `try-error` in the list, and one that is killed for its memory gives
    NULL, with a warning only. Summaries then leave them out, or fail with a message about something else.
    """
    if re.search(r"try-error|inherits|is\.null|tryCatch|\btry\s*\(", source.text):
        return
    for match in re.finditer(r"\bmclapply\s*\(", source.code):
        yield _at(source, match, "a failed process gives a try-error or NULL in the list")
        return


# Words of R 4.1 to 4.3, which an older R on this machine cannot read: pipes, short functions, raw strings.
_RECENT = re.compile(r"\|>|\\\(|\b[rR][\"']-*[(\[{]")


@rule("R06", "error", "R cannot read the file.", kind="r")
def unreadable(source: RSource) -> Iterator[Note]:
    """Close every bracket and quote, and write an operator or a comma between two names.

    R reads a whole file before it runs the first line, so that the job ends at once.

    Example: `x <- c(1, 2` without its bracket.

    The rule asks the parser of R, and is silent where R is not installed. Where this R is older than 4.3, it is silent
    about files with pipes (`|>`), short functions and raw strings.
    """
    syntax = source.syntax
    if syntax is None or not syntax.fault:
        return
    if syntax.version < (4, 3) and _RECENT.search(source.text):
        return
    lines = source.text.count("\n") + 1
    yield Note(
        message=f"R {syntax.version[0]}.{syntax.version[1]}: {syntax.fault}",
        line=max(1, min(syntax.fault_line, lines)),
        column=max(0, syntax.fault_column - 1),
    )
