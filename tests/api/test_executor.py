"""The executor on this machine: the contract of `concurrent.futures`, calls of any kind, and what outlives a session.

The cases of the contract are those of CPython's own tests of executors, as far as they apply to any executor.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import packhorse
from packhorse import CallLost, Executor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("calls")
    (place / "beside.py").write_text("def cube(x):\n    return x ** 3\n")
    return place


@pytest.fixture(scope="module")
def pool(folder: Path) -> Iterator[Executor]:
    """Return an executor that is up, as most tests only need one."""
    with Executor(3, folder=folder) as executor:
        executor.submit(int).result(60)
        yield executor


def add(x: Any, y: Any) -> Any:
    return x + y


def said(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def wrong(text: str) -> None:
    raise LookupError(text)


class Point:
    def __init__(self, x: float) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    __hash__ = None  # type: ignore[assignment]

    def doubled(self) -> Point:
        return Point(2 * self.x)


# The contract


def test_submit_takes_positions_and_names(pool: Executor) -> None:
    assert pool.submit(pow, 2, 8).result(30) == 256
    assert pool.submit(add, 2, y=8).result(30) == 10
    assert pool.submit(said, 1, self=2, fn=3).result(30) == ((1,), {"self": 2, "fn": 3})
    with pytest.raises(TypeError):
        pool.submit(fn=add, x=1)  # type: ignore[call-arg]


def test_map_keeps_the_order_and_raises_where_a_call_did(pool: Executor) -> None:
    assert list(pool.map(pow, range(10), range(10))) == [n**n for n in range(10)]
    assert list(pool.map(pow, range(10), range(10), chunksize=3)) == [n**n for n in range(10)]
    assert list(pool.map(add, [], [])) == []
    with pytest.raises(ValueError, match="chunksize"):
        pool.map(abs, [1], chunksize=0)
    results = pool.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
    assert next(results) == (0, 1)
    assert next(results) == (0, 1)
    with pytest.raises(ZeroDivisionError):
        next(results)


def fragile(n: int) -> int:
    if n == 4:
        raise LookupError("four")
    if n == 15:
        os._exit(3)
    return -n


def test_a_call_of_a_chunk_fails_alone(folder: Path) -> None:
    with Executor(2, folder=folder, name="chunks") as executor:
        results = executor.map(fragile, range(20), chunksize=6)
        assert [next(results) for _ in range(4)] == [0, -1, -2, -3]
        with pytest.raises(LookupError, match="four") as caught:
            next(results)
        assert 'in fragile\n    raise LookupError("four")\nLookupError: four' in str(caught.value.__cause__)
        lost = executor.map(fragile, [16, 17, 15, 18], chunksize=4)
        assert [next(lost), next(lost)] == [-16, -17]
        points = executor.map(Point, [1, None, lambda: 2], chunksize=2)
        assert [point.x for point in list(points)[:2]] == [1, None]
    assert len((folder / "runs/chunks/calls/000000000000.ndjson").read_text().splitlines()) < 20
    with Executor.attach("chunks", folder=folder) as executor:
        futures = executor.futures[:20]
        errors = {n: future.exception(30) for n, future in enumerate(futures)}
        assert {n: type(error) for n, error in errors.items() if error} == {4: LookupError, 15: CallLost}
        assert [future.result() for n, future in enumerate(futures) if not errors[n]] == [
            -n for n in range(20) if n not in (4, 15)
        ]
        assert [future.result(30).x for future in executor.futures[24:26]] == [1, None]


def test_a_retry_of_a_chunk_makes_only_what_failed(folder: Path, tmp_path: Path) -> None:
    def flaky(n: int) -> int:
        with (tmp_path / str(n)).open("a") as stream:
            stream.write("x")
        if n == 2 and (tmp_path / "2").stat().st_size < 3:
            raise ValueError(n)
        return n

    with Executor(1, folder=folder, retries=3) as executor:
        assert list(executor.map(flaky, range(4), chunksize=4)) == [0, 1, 2, 3]
    assert [(tmp_path / str(n)).stat().st_size for n in range(4)] == [1, 1, 3, 1]


def test_a_chunk_is_one_task_with_a_row_for_each_call(folder: Path) -> None:
    with Executor(2, folder=folder, name="rows") as executor:
        assert list(executor.map(lambda n: {"x": n / 2}, range(100), chunksize=30))[99] == {"x": 49.5}
    run = packhorse.open(folder / "runs/rows")
    assert run.status()["counts"] == {"OK": 4}
    assert run.results()["x"].to_list() == [n / 2 for n in range(100)]
    with Executor(2, folder=folder, name="rows2", reuse=True) as executor:
        assert list(executor.map(abs, [-1, -1, -2], chunksize=2)) == [1, 1, 2]
    assert packhorse.open(folder / "runs/rows2").status()["counts"] == {"OK": 2}


def test_map_ends_at_its_timeout(pool: Executor) -> None:
    results = []
    with pytest.raises(TimeoutError):
        results.extend(pool.map(time.sleep, [0, 0, 2], timeout=1))
    assert results in ([], [None, None])


def test_an_exception_has_its_traceback_there(pool: Executor) -> None:
    error = pool.submit(wrong, "here").exception(30)
    assert isinstance(error, LookupError)
    assert error.args == ("here",)
    assert "in wrong\n    raise LookupError(text)\nLookupError: here" in str(error.__cause__)


def test_wait_and_as_completed(pool: Executor) -> None:
    quick, slow = pool.submit(add, 1, 2), pool.submit(time.sleep, 0.4)
    done, rest = concurrent.futures.wait([quick, slow], timeout=30, return_when="FIRST_COMPLETED")
    assert (done, rest) == ({quick}, {slow})
    assert list(concurrent.futures.as_completed([slow, quick], timeout=30)) == [quick, slow]
    failing = [pool.submit(time.sleep, 0.3), pool.submit(wrong, "x")]
    done, _ = concurrent.futures.wait(failing, timeout=30, return_when="FIRST_EXCEPTION")
    assert failing[1] in done
    assert not concurrent.futures.wait(failing, timeout=30).not_done
    with pytest.raises(TimeoutError, match="1 \\(of 1\\) futures unfinished"):
        list(concurrent.futures.as_completed([pool.submit(time.sleep, 0.3)], timeout=0.05))


def test_a_callback_sees_the_result(pool: Executor) -> None:
    seen: list[int] = []
    came = threading.Event()
    future = pool.submit(add, 20, 1)
    future.add_done_callback(lambda one: (seen.append(one.result()), came.set()))
    assert came.wait(30)
    assert seen == [21]


def test_no_reference_to_arguments_and_results_is_kept(pool: Executor) -> None:
    point = Point(1)
    gone = threading.Event()
    watch = weakref.ref(point, lambda _: gone.set())
    pool.submit(point.doubled)
    del point
    assert gone.wait(30)
    assert watch() is None
    for result in pool.map(Point, range(5)):
        watch = weakref.ref(result)
        del result
        assert watch() is None


def test_no_call_after_shutdown(folder: Path) -> None:
    executor = Executor(1, folder=folder)
    executor.submit(int).result(30)
    executor.submit(int).cancel()
    executor.shutdown()
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(pow, 2, 5)
    for number in (0, -1):
        with pytest.raises(ValueError, match="max_workers must be greater than 0"):
            Executor(number)


def test_shutdown_waits_or_cancels(folder: Path) -> None:
    executor = Executor(2, folder=folder)
    futures = [executor.submit(time.sleep, 0.02) for _ in range(20)]
    executor.shutdown()
    assert all(future.result(0) is None for future in futures)
    executor = Executor(2, folder=folder)
    executor.submit(int).result(30)
    futures = [executor.submit(time.sleep, 0.1) for _ in range(50)]
    executor.shutdown(cancel_futures=True)
    cancelled = [future for future in futures if future.cancelled()]
    others = [future for future in futures if not future.cancelled()]
    assert len(cancelled) > 20
    assert all(future.exception(0) is None for future in others)
    assert not list((folder / "runs").glob("calls-*-2"))


def test_an_executor_that_nobody_has_ends(folder: Path) -> None:
    executor = Executor(1, folder=folder)
    results = executor.map(abs, range(-5, 5))
    thread = next(iter(executor.lanes.values())).thread
    del executor
    assert list(results) == [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]
    thread.join(30)
    assert not thread.is_alive()


def script(folder: Path, text: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(text)
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


ENDS = """
import atexit, pathlib, time, packhorse

@atexit.register
def late():
    try:
        executor.submit(id, None)
    except RuntimeError as error:
        print(error)

def leave(name):
    time.sleep(0.5)
    pathlib.Path(FOLDER, name).touch()

executor = packhorse.Executor(2)
executor.submit(leave, "one")
executor.shutdown(wait=False) if WAIT else None
"""


@pytest.mark.parametrize("wait", [False, True])
def test_calls_are_made_before_python_ends(tmp_path: Path, wait: bool) -> None:
    done = script(tmp_path, ENDS.replace("FOLDER", repr(str(tmp_path))).replace("WAIT", str(wait)))
    assert (tmp_path / "one").exists()
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot schedule new futures" in done.stdout


# Functions, arguments and results of any kind


def test_functions_that_no_task_can_import(pool: Executor) -> None:
    factor = 3
    assert pool.submit(lambda x: factor * x, 7).result(30) == 21
    assert pool.submit(partial(add, 1), 2).result(30) == 3
    assert pool.submit(Point(2).doubled).result(30) == Point(4)
    assert pool.submit("a,b".split, ",").result(30) == ["a", "b"]


def test_a_module_of_the_project_comes_from_the_snapshot(folder: Path) -> None:
    text = "import packhorse, beside\nwith packhorse.Executor(1, name='snap') as e: print(e.submit(beside.cube, 3).result())"
    assert script(folder, text).stdout == "27\n"
    calls = (folder / "runs/snap/calls/000000000000.ndjson").read_text().splitlines()
    assert json.loads(calls[1]) == {"function": "beside:cube", "args": [3]}


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, -(2**62), 2**70, 0.1, -0.0, float("inf"), "", "ä\n", "\ud800", b"\0\xff"),
        *([], {}, {"": 1}, {"value": 1}, {"pickle": "x"}, {"a": 1.5, "b": None}, {"a": {"b": [1]}}, {1: 2}),
        *((1, (2,)), {3}, [1, [2.5, "x"]], list(range(5000)), Point(1), "x" * 10_000, b"y" * 3_000_000),
    ],
    ids=lambda value: f"{type(value).__name__}-{repr(value)[:20]}",
)
def test_values_come_back_as_they_were(pool: Executor, value: Any) -> None:
    got = pool.submit(said, value, name=value).result(30)
    assert got == ((value,), {"name": value})
    back = pool.submit(add, *(([value], []))).result(30)[0]
    assert (back, type(back), repr(back)[:50]) == (value, type(value), repr(value)[:50]) or isinstance(
        value, Point
    )
    assert pool.submit(lambda: value).result(30) == value


def doubled_in_place(array: Any) -> Any:
    array *= 2
    return array


def test_nan_and_arrays(pool: Executor) -> None:
    import numpy as np

    assert pool.submit(abs, float("nan")).result(30) != 0
    array = np.arange(400_000.0)
    assert (pool.submit(np.multiply, array, 2).result(30) == 2 * array).all()
    before = array.copy()
    futures = [pool.submit(doubled_in_place, array) for _ in range(3)]
    array[:] = 0  # what was submitted does not change
    assert all((future.result(30) == 2 * before).all() for future in futures)
    assert (
        pool.submit(np.sum, np.asfortranarray(before.reshape(2, -1))[:, ::2]).result(30) == before[::2].sum()
    )
    kept = list((futures[0].run / "calls").glob("*.buffer"))  # type: ignore[operator]
    assert [path.stat().st_size for path in kept] == [before.nbytes]  # once, for four calls


def test_what_cannot_be_pickled_fails_its_own_future(pool: Executor) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pool.submit(add, threading.Lock(), 1).result(30)
    with pytest.raises(TypeError, match="pickle"):
        pool.submit(threading.Lock).result(30)
    assert pool.submit(add, 1, 1).result(30) == 2


class UnreadableError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(one)
        self.two = two


def unreadable() -> None:
    raise UnreadableError(1, 2)


def test_an_exception_that_cannot_be_read_here_is_told(pool: Executor) -> None:
    error = pool.submit(unreadable).exception(30)
    assert isinstance(error, CallLost)
    assert "in unreadable" in str(error.__cause__)


def test_ten_thousand_calls(pool: Executor) -> None:
    assert list(pool.map(partial(add, 1), range(10_000))) == list(range(1, 10_001))


# What goes wrong


def test_a_call_that_ends_its_process_fails_alone(pool: Executor) -> None:
    around = [pool.submit(add, n, 0) for n in range(20)]
    dead = pool.submit(os._exit, 3)
    killed = pool.submit(os.kill, 0, 0)
    after = [pool.submit(add, n, 0) for n in range(20)]
    with pytest.raises(CallLost, match="the function ended the interpreter"):
        dead.result(30)
    assert killed.exception(30) is None
    assert [future.result(30) for future in around + after] == 2 * list(range(20))
    with pytest.raises(concurrent.futures.BrokenExecutor):
        dead.result()


def test_twenty_calls_that_fail_alike_do_not_stop_the_others(pool: Executor) -> None:
    futures = [pool.submit(wrong, "same") for _ in range(30)]
    assert all(isinstance(future.exception(30), LookupError) for future in futures)


def test_a_dead_worker_is_replaced(folder: Path) -> None:
    with Executor(2, folder=folder, name="dies") as executor:
        assert executor.submit(add, 1, 1).result(30) == 2
        stream = next(iter(executor.lanes.values())).stream  # type: ignore[union-attr]
        futures = [executor.submit(time.sleep, 0.2) for _ in range(4)]
        time.sleep(0.1)
        os.kill(stream.worker.process.pid, signal.SIGKILL)
        assert [future.result(30) for future in futures] == [None] * 4
        assert executor.submit(add, 1, 2).result(30) == 3


def test_memory_and_time_are_limited(folder: Path) -> None:
    with Executor(1, folder=folder, time_limit="0.5 s") as executor:
        with pytest.raises(CallLost, match="TIMEOUT"):
            executor.submit(time.sleep, 20).result(30)
        assert executor.submit(add, 1, 1).result(30) == 2


def test_a_wrong_key_is_refused_at_once(folder: Path) -> None:
    with pytest.raises(packhorse.errors.StudyError, match="nonsense"):
        Executor(1, folder=folder, nonsense=3)
    with pytest.raises(packhorse.errors.UsageError, match="partition needs a site"):
        Executor(1, folder=folder, partition="x")
    with pytest.raises(packhorse.errors.StudyError):
        Executor(1, folder=folder).with_resources(cores="many").submit(int)


INTERRUPTED = """
import packhorse, time
with packhorse.Executor(2, name="long") as executor:
    futures = [executor.submit(time.sleep, 30) for _ in range(3000)]
    print("waiting", flush=True)
    [future.result() for future in futures]
"""


def test_ctrl_c_over_thousands_of_futures_returns_soon(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(INTERRUPTED)
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, error = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert error.rstrip().endswith("KeyboardInterrupt")


# What outlives a session


def test_futures_are_found_again(folder: Path) -> None:
    with Executor(2, folder=folder, name="again") as executor:
        futures = [executor.submit(add, n, 1) for n in range(5)]
        failed = executor.submit(wrong, "kept")
        assert [future.result(30) for future in futures] == [1, 2, 3, 4, 5]
        assert (failed.exception(30), futures[3].number) != (None, None)
    with Executor.attach("again", folder=folder) as executor:
        *values, error = (future.exception(30) or future.result(30) for future in executor.futures)
        assert values == [1, 2, 3, 4, 5]
        assert isinstance(error, LookupError)
        assert executor.submit(add, 5, 5).result(30) == 10
    assert (folder / "runs/again/calls").stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder / "runs/again/calls").iterdir())
    run = packhorse.open(folder / "runs/again")
    assert run.status()["counts"] == {"OK": 6, "FAILED": 1}
    assert run.results()["value"].to_list() == [1, 2, 3, 4, 5, 10]
    with pytest.raises(packhorse.errors.UsageError, match="no executor 'other'"):
        Executor.attach("other", folder=folder)


KILLED = """
import os, packhorse, pathlib, time

def slow(n):
    time.sleep(0.1)
    with open(pathlib.Path(FOLDER, "made"), "a") as stream:
        stream.write("%d\\n" % n)
    return n

executor = packhorse.Executor(2, name="killed")
futures = [executor.submit(slow, n) for n in range(20)]
futures[4].result()
os.kill(os.getpid(), 9)
"""


def test_a_killed_session_is_taken_up(tmp_path: Path) -> None:
    done = script(tmp_path, KILLED.replace("FOLDER", repr(str(tmp_path))))
    assert done.returncode == -9
    with Executor.attach("killed", folder=tmp_path) as executor:
        assert [future.result(60) for future in executor.futures] == list(range(20))
    made = sorted(map(int, (tmp_path / "made").read_text().split()))
    assert sorted(set(made)) == list(range(20))
    assert len(made) <= 22  # at most those that ran when the session was killed


def test_an_equal_call_is_not_made_twice(folder: Path, tmp_path: Path) -> None:
    def count(name: str) -> int:
        with (tmp_path / name).open("a") as stream:
            stream.write("x")
        return len((tmp_path / name).read_text())

    for _ in range(2):
        with Executor(2, folder=folder, name="once", reuse=True) as executor:
            assert [executor.submit(count, "one").result(30) for _ in range(3)] == [1, 1, 1]
    assert (tmp_path / "one").read_text() == "x"
    with Executor(2, folder=folder, name="once") as executor:
        assert executor.submit(count, "one").result(30) == 2


def test_a_changed_pickle_is_not_loaded(folder: Path) -> None:
    from packhorse.worker.calls import Refused, load_checked, named_function

    with Executor(1, folder=folder, name="bad") as executor:
        assert executor.submit(lambda: 1).result(30) == 1
    run = folder / "runs/bad"
    pickle = next((run / "calls").glob("pickled_*"))
    assert named_function(str(run), pickle.name)() == 1
    pickle.chmod(0o622)
    with pytest.raises(Refused, match="another user owns it or can write it"):
        named_function(str(run), pickle.name)
    pickle.chmod(0o600)
    pickle.write_bytes(pickle.read_bytes() + b"!")
    with pytest.raises(Refused, match="its digest"):
        named_function(str(run), pickle.name)
    with pytest.raises(Refused):
        load_checked(b"cos\nsystem\n", "0" * 64, "it")


def test_resources_of_a_call(folder: Path) -> None:
    @packhorse.task(cores=2, memory="1 GB")
    def cores() -> str | None:
        return os.getenv("OMP_NUM_THREADS")

    with Executor(1, folder=folder) as executor:
        assert executor.submit(cores).result(30) == "2"
        assert executor.with_resources(cores=3).submit(os.getenv, "OMP_NUM_THREADS").result(30) == "3"
        assert executor.with_resources(cores=1).submit(cores).result(30) == "1"  # the nearer one


# map


def test_map_of_a_grid(folder: Path) -> None:
    def point(n: int, shift: float, replicate: int) -> tuple[float, int]:
        return n + shift, replicate

    got = packhorse.map(point, {"n": [1, 2], "shift": [0.5, 1.5]}, replicates=2, folder=folder, name="grid")
    assert got == [(n + shift, k) for n in (1, 2) for shift in (0.5, 1.5) for k in (0, 1)]
    assert got.run.status()["done"] == 8
    again = packhorse.map(point, {"n": [1, 2], "shift": [0.5, 1.5]}, replicates=2, folder=folder, name="grid")
    assert again == got
    assert again.run.outcome.ran == 0
    objects = packhorse.map(
        lambda p, n: p.x * n, [{"p": Point(2), "n": 3}, {"p": Point(5), "n": 1}], folder=folder
    )
    assert objects == [6, 5]
    with pytest.raises(LookupError, match="second") as caught:
        packhorse.map(wrong, {"text": ["second"]}, folder=folder)
    assert "in wrong" in str(caught.value.__cause__)
    with pytest.raises(packhorse.errors.UsageError, match="list of values"):
        packhorse.map(wrong, {"text": "abc"}, folder=folder)
