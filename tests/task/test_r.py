"""packhorse.R as scripts see it, through a real Rscript."""

import json
import math
import os
import pathlib
import random
import struct
import subprocess

import pytest

import packhorse

FILE = pathlib.Path(packhorse.__file__).parent / "r" / "packhorse.R"
MODULI = (4294967087, 4294944443)


def run(
    tmp_path: pathlib.Path, script: str, task: dict | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PACKHORSE_")}
    if task is not None:
        kept["PACKHORSE_TASK"] = json.dumps(task, ensure_ascii=False)
    file = tmp_path / "script.R"
    file.write_text('source(Sys.getenv("PACKHORSE_R"))\n' + script)
    return subprocess.run(
        ["Rscript", "--vanilla", str(file)],
        env={**kept, "PACKHORSE_R": str(FILE), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def last(done: subprocess.CompletedProcess[str]) -> dict:
    return json.loads(done.stdout.splitlines()[-1])


def task(**params: object) -> dict:
    return {
        "params": params,
        "index": 3,
        "count": 9,
        "replicate": 1,
        "seed": 2**63 - 2,
        "seed32": 99,
        "deadline": None,
    }


def splitmix_state(seed: int) -> list[int]:
    """The state as documented in packhorse.R, by Python's integers."""
    state = []
    for i in range(6):
        seed = (seed + 0x9E3779B97F4A7C15) % 2**64
        z = ((seed ^ seed >> 30) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) % 2**64
        state.append((z ^ z >> 31) % MODULI[i // 3])
    return [s - 2**32 if s >= 2**31 else s for s in state]


def test_parameters_keep_their_types(tmp_path):
    script = (
        "stopifnot(is.numeric(params$n), params$n == 10, identical(params$on, TRUE), is.null(params$none))\n"
        'stopifnot(identical(params$several, c(1, 2.5)), "none" %in% names(params), identical(params$mixed, list(1, "a")))\n'
        "stopifnot(index == 3, count == 9, replicate == 1, is.null(deadline), is.null(checkpoint), seconds_left() == Inf)\n"
        "result(word = params$word, inner = params$inner, big = params$big, empty = params$empty, seed = seed, s32 = seed32)\n"
    )
    word = 'a "quoted" \\ back\nline\ttab é 漢 😀 \x01 /'
    facts = task(
        n=10,
        on=True,
        none=None,
        several=[1, 2.5],
        mixed=[1, "a"],
        word=word,
        inner={"a b": [True]},
        big=2**60,
        empty="",
    )
    for locale in ("C", "C.UTF-8"):
        assert last(run(tmp_path, script, facts, LC_ALL=locale)) == {
            "word": word,
            "inner": {"a b": True},
            "big": str(2**60),
            "empty": "",
            "seed": str(2**63 - 2),
            "s32": 99,
        }


def test_numbers_come_and_go_bit_for_bit(tmp_path):
    draw = random.Random(1)
    numbers = [struct.unpack("<d", draw.randbytes(8))[0] for _ in range(1000)]
    numbers = [x for x in numbers if math.isfinite(x) and abs(x) > 1e-300]
    numbers += [draw.gauss(0, 1) * 10 ** draw.randint(-30, 30) for _ in range(1000)]
    # The first five are read one bit off by R 4.2's own as.numeric.
    hard = [
        5.785069998187334e-22,
        5.276621455747024e-22,
        3.289889609202731e-21,
        -2.229135932951256e22,
        0.1,
        1e23,
        2.0**53,
    ]
    facts = task(x=numbers + hard)
    # Too long for one environment variable: the reader itself is called.
    (tmp_path / "task.json").write_text(json.dumps(facts))
    script = "x <- .packhorse$read_json(readLines('task.json', warn = FALSE))$params$x\nresult(x = x, n = -0, i = 3L)"
    done = run(tmp_path, f"setwd({json.dumps(str(tmp_path))})\n" + script, task())
    found = last(done)
    assert found["x"] == numbers + hard
    assert math.copysign(1, found["n"]) == -1
    assert found["i"] == 3


def test_results_of_every_kind(tmp_path):
    script = (
        "result(missing = NA, nan = NaN, far = c(-Inf, Inf), named = c(a = 1.5), none = NULL, l = list(p = 1, q = list(1, 'z')),\n"
        "       f = factor('low'), day = as.Date('2026-11-22'), m = matrix(1:4, 2), t = NA_character_, e = numeric(0))\n"
        "result(later = TRUE)\n"
    )
    found = last(run(tmp_path, script, task()))
    assert math.isnan(found.pop("nan"))
    assert found == {
        "missing": None,
        "far": [-math.inf, math.inf],
        "named": 1.5,
        "none": None,
        "l": {"p": 1, "q": [1, "z"]},
        "f": "low",
        "day": "2026-11-22",
        "m": [[1, 3], [2, 4]],
        "t": None,
        "e": [],
        "later": True,
    }


def test_a_data_frame_is_a_list_of_rows_in_the_output_file(tmp_path):
    output = tmp_path / "out file.json"
    run(
        tmp_path,
        "result(data.frame(k = 1:2, g = c('a', NA), x = c(0.1, 2)))",
        task(),
        PACKHORSE_OUTPUT=str(output),
    )
    assert json.loads(output.read_text()) == [{"k": 1, "g": "a", "x": 0.1}, {"k": 2, "g": None, "x": 2}]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**53 + 1, 2**63 - 1])
def test_the_state_of_the_generator_is_as_documented(tmp_path, seed):
    script = 'state <- rng()\nstopifnot(identical(RNGkind()[1], "L\'Ecuyer-CMRG"))\nresult(state = state[-1], u = runif(2))'
    found = last(run(tmp_path, script, {**task(), "seed": seed}))
    assert found["state"] == splitmix_state(seed)
    assert all(0 < u < 1 for u in found["u"])
    assert found["u"][0] != found["u"][1]


def test_the_first_splitmix_draws_are_the_published_ones():
    # Vigna's splitmix64.c started at 1234567; the published first output is 6457827717110365317.
    assert splitmix_state(1234567)[0] % 2**32 == 6457827717110365317 % MODULI[0]


def test_by_hand_the_seed_is_said_and_repeats(tmp_path):
    script = "rng()\nresult(x = runif(1), s32 = seed32, n = length(params))"
    first = run(tmp_path, script)
    seed = first.stderr.strip().rsplit("=", 1)[1]
    assert last(first)["n"] == 0
    again = run(tmp_path, script, PACKHORSE_SEED=seed)
    assert last(again) == last(first)
    assert last(again)["s32"] == int(seed) & 0x7FFFFFFF
    assert again.stderr == ""


def test_save_atomic_leaves_the_old_file_when_the_writer_fails(tmp_path):
    script = (
        f"setwd({json.dumps(str(tmp_path))})\n"
        "save_atomic('state.rds', list(step = 5))\n"
        "save_atomic('t.csv', function(to) write.csv(data.frame(a = 1), to, row.names = FALSE))\n"
        "try(save_atomic('t.csv', function(to) { cat('half', file = to); stop('disk') }), silent = TRUE)\n"
        "result(step = readRDS('state.rds')$step, csv = readLines('t.csv'), left = dir(all.files = TRUE, no.. = TRUE))\n"
    )
    assert last(run(tmp_path, script)) == {
        "step": 5,
        "csv": ['"a"', "1"],
        "left": ["script.R", "state.rds", "t.csv"],
    }


@pytest.mark.parametrize(
    "text", ['{"a":1', '{"a":01}', '{"a":1}x', "[1,]", '{"a" 1}', '"a', "{1:2}", "[1 2]", ""]
)
def test_what_is_not_json_is_refused(tmp_path, text):
    script = f"found <- try(.packhorse$read_json({json.dumps(text)}), silent = TRUE)\nresult(refused = inherits(found, 'try-error'))"
    assert last(run(tmp_path, script, task())) == {"refused": True}


def test_names_that_meet_no_variable(tmp_path):
    checkpoint = tmp_path / "kept"
    checkpoint.mkdir()
    script = """
    stopifnot(identical(ph_params(), params), identical(ph_save, save_atomic), is.null(ph_checkpoint()))
    ph_checkpoint(list(step = 3))
    stopifnot(identical(ph_checkpoint(), list(step = 3)), ph_cores() == 5L)
    first <- ph_seed(); a <- runif(1); second <- ph_seed(stream = 2); b <- runif(1)
    next_stream <- parallel::nextRNGStream
    stopifnot(identical(first, rng()), identical(second, next_stream(next_stream(first))), a != b)
    ph_result(ok = TRUE)
    """
    given = {**task(n=2), "checkpoint": str(checkpoint)}
    assert last(run(tmp_path, script, given, MC_CORES="5")) == {"ok": True}
    refused = run(tmp_path, "cat(try(ph_checkpoint(1), silent = TRUE)); ph_result(a = 1)", task(n=2))
    assert "write in it: checkpoint: true" in refused.stdout
    outside = run(tmp_path, "ph_checkpoint(1); stopifnot(ph_cores() >= 1); ph_result(a = 1)")
    assert last(outside) == {"a": 1}
