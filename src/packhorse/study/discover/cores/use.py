"""How many cores a script asks for by itself: Pool(8), mc.cores = 8, makeCluster(8)."""

from __future__ import annotations

import re

from msgspec import Struct

from packhorse.study.discover.calls import argument, calls, without_comments

MOST = 1024  # a larger number means something else
_POOLS = (
    r"(?:\w+\.)*(?:Pool|ThreadPool|ProcessPoolExecutor|ThreadPoolExecutor)|"
    r"(?:parallel::|snow::)?makeCluster|makePSOCKcluster|makeForkCluster|registerDoParallel|registerDoMC|"
    r"(?:BiocParallel::)?MulticoreParam|SnowParam|(?:parallelly::)?makeClusterPSOCK"
)
_NAMED = re.compile(
    r"(?<![\w.])(?:mc\.cores|n_?cores|num_?cores|numcores|ncpus?|n_?jobs|n_?workers|max_workers|processes|nthreads?|"
    r"n_?threads|num_?threads|num_?workers|n_?proc(?:s|esses)?|num_?proc(?:s|esses)?|cores|workers)"
    r"\s*(?:<-|=(?!=))\s*([\w.]+)",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"(?<![\w.])(?:(?:parallel::)?detectCores|(?:mp|multiprocessing|os)\.cpu_count|cpu_count|"
    r"(?:parallelly::)?availableCores)\s*\("
)


class CoreUse(Struct, frozen=True, kw_only=True):
    """What a script asks for: a fixed number of cores, 0 if unknown; and the line where it asks for all of a node."""

    count: int = 0
    line: int = 0
    all_cores: str = ""
    all_cores_line: int = 0


def core_use(source: str) -> CoreUse:
    """Return the largest number of cores that the text of a script fixes, and whether it counts those of the node."""
    text = without_comments(source)
    found: list[tuple[int, int]] = []
    for match in _NAMED.finditer(text):
        found.append((_number(match[1], text), text.count("\n", 0, match.start()) + 1))
    for _, inside in calls(text, _POOLS):
        line = text.count("\n", 0, text.find(inside)) + 1
        found.append((_number(argument(inside), text), line))
    count, line = max(((n, line) for n, line in found if 1 < n <= MOST), default=(0, 0))
    everything = _ALL.search(text)
    if everything is None:
        return CoreUse(count=count, line=line)
    name = everything[0].rstrip("( \t")
    at = text.count("\n", 0, everything.start()) + 1
    return CoreUse(count=count, line=line, all_cores=name, all_cores_line=at)


def _number(word: str, text: str) -> int:
    """Return a number, or that of a name which is set once to a number; else 0."""
    digits = re.fullmatch(r"(\d{1,4})L?", word)
    if digits:
        return int(digits[1])
    if not re.fullmatch(r"[A-Za-z_.][\w.]*", word):
        return 0
    values = re.findall(
        rf"(?<![\w.]){re.escape(word)}\s*(?:<-|=(?!=))\s*(\d{{1,4}})L?\s*(?:$|;|,|\))", text, re.M
    )
    return int(values[0]) if len(set(values)) == 1 else 0
