"""Each kind of cause is found in a log of it, first, and no kind is without a log.

A file in logs/ is named after its kind. Its first lines say where the log comes from, and what the scheduler said.
"""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from packhorse.diagnose.causes import Log, causes, remedy, sentence
from packhorse.diagnose.kind import JobFacts, Kind
from packhorse.diagnose.kinds import KINDS

LOGS = sorted((Path(__file__).parent / "logs").glob("*.txt"))
# What is no failure, although it has words of one.
HARMLESS = """\
Loading required package: Matrix
epoch 1: loss 0.532, error 0.21
INFO: 0 errors, 0 warnings
iteration 137 killed 3 particles
Warning message: package 'lme4' was built under R version 4.3.1
done: 100 of 100 files open
Memory usage: 512 MB
checking for a BLAS library: not found
fit.py:12: RuntimeWarning: overflow encountered in exp
  warnings.warn(
RuntimeWarning: invalid value encountered in divide
Convergence: 3 of 3; errors: none; status 0
Error rate: 0.05
submitted by alice; killed 0, failed 0
module list: gcc/12 R/4.2
"""


def read(path: Path) -> tuple[dict[str, str], str]:
    head, _, log = path.read_text(encoding="utf-8").partition("\n\n")
    facts = dict(re.findall(r"^# (\w+): (.*)$", head, re.MULTILINE))
    return facts, log


@pytest.mark.parametrize("path", LOGS, ids=[path.stem for path in LOGS])
def test_a_log_shows_its_kind_first(path: Path) -> None:
    facts, log = read(path)
    assert facts["from"]
    job = None
    if "state" in facts:
        status = int(facts["exit"]) if "exit" in facts else None
        job = JobFacts(state=facts["state"], reason=facts.get("reason", ""), exit=status)
    found = causes([Log("job.log", log)], job)
    assert [one.kind.id for one in found][:1] == [path.name.partition(".")[0]]
    text = sentence(found[0], job)
    assert text
    assert not re.search(r"[{}]|  |\s[.,;](\s|$)", text), text
    assert remedy(found[0], job)
    if log.strip():
        assert found[0].text in log
        assert found[0].text == log.splitlines()[found[0].line - 1].strip()


def test_every_kind_has_a_log() -> None:
    without = {kind.id for kind in KINDS} - {path.name.partition(".")[0] for path in LOGS}
    assert without == {"output-lost"}  # which a log cannot show; see test_diagnose.py
    assert len(KINDS) >= 40
    assert len({kind.id for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.id for kind in KINDS])
def test_a_kind_is_well_formed(kind: Kind) -> None:
    groups = {name for pattern in kind.patterns for name in re.compile(pattern).groupindex}
    fields = {name for _, name, _, _ in string.Formatter().parse(kind.sentence + kind.remedy) if name}
    assert fields <= groups | {"limit", "memory", "reason", "path", "line", "size"}
    assert kind.remedy


def test_a_harmless_log_shows_nothing() -> None:
    assert causes([Log("job.log", HARMLESS)], JobFacts(state="done", exit=0)) == []
