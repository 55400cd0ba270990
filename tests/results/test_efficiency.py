"""Efficiency: sums over attempts and workers, and the request that would have fitted."""

import pytest

from packhorse.model.study import Resources
from packhorse.results.efficiency import JobMemory, WaveRequest, fitting_request, wave_use
from packhorse.results.journal import read_journals
from results.journals import space_of, write_journal

SPACE = space_of()


def attempt(index, wall=10.0, cpu=9.0, memory=100 * 1024, **more):
    return {"index": index, "begin": 1000.0 + 10 * index, "wall": wall, "cpu": cpu, "memory": memory, **more}


def use(directory, **given):
    return wave_use(1, read_journals(directory), WaveRequest(**given))


def request(directory, asked=None, **given):
    return fitting_request([use(directory, **given)], asked or Resources())


def test_a_wave_is_the_sum_of_its_workers(tmp_path):
    records = [attempt(0), attempt(1, outcome="FAILED"), attempt(1, attempt=2, wall=20.0, cpu=19.0)]
    write_journal(tmp_path, SPACE, records, element=0, started=990.0, slots=2, at=1090.0)
    write_journal(
        tmp_path, SPACE, [attempt(2, memory=150 * 1024)], element=1, started=1000.0, slots=1, at=1040.0
    )
    found = use(tmp_path, cpus=3)
    assert (found.workers, found.open, found.longest) == (2, 0, 100.0)
    assert found.held == 100.0 * 2 * 3 + 40.0 * 1 * 3
    assert (found.used.attempts, found.used.ok, found.used.longest) == (4, 3, 20.0)
    assert found.used.peak == 150 * 1024
    assert found.cpu_share == pytest.approx((9 + 9 + 19 + 9) / 720)
    assert found.busy_share == pytest.approx((10 + 10 + 20 + 10) * 3 / 720)


def test_a_job_holds_its_own_cores_whatever_its_slots(tmp_path):
    write_journal(tmp_path, SPACE, [attempt(0)], started=1000.0, slots=2, at=1100.0)
    assert use(tmp_path, cpus=1, cores=32).held == 3200.0


def test_a_worker_without_an_end_counts_to_its_last_record(tmp_path):
    path = write_journal(tmp_path, SPACE, [attempt(0), attempt(3)], started=1000.0, slots=1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    found = use(tmp_path)
    assert (found.open, found.longest, found.held) == (1, 40.0, 40.0)


def test_a_worker_that_went_on_in_a_second_file_is_one_worker(tmp_path):
    first = {"started": 1000.0, "slots": 2}
    path = write_journal(tmp_path, SPACE, [attempt(0)], name="1-0-0-h-1-ab", **first)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    write_journal(tmp_path, SPACE, [attempt(1)], name="1-0-0-h-1-ab.1", at=1050.0, **first)
    found = use(tmp_path)
    assert (found.workers, found.open, found.held) == (1, 0, 100.0)


def test_nothing_is_divided_by_nothing(tmp_path):
    write_journal(tmp_path, SPACE, [])
    found = use(tmp_path)
    assert (found.held, found.cpu_share, found.busy_share) == (0.0, None, None)
    assert fitting_request([found], Resources()) is None


def test_the_request_fits_with_some_to_spare(tmp_path):
    records = [attempt(index, wall=100.0 + index, cpu=100.0) for index in range(3)]
    write_journal(tmp_path, SPACE, records, started=1000.0, slots=1, at=1400.0)
    fits = request(tmp_path, Resources(cpus=4, memory=8000, gpus=1), cpus=4, memory=8000)
    assert fits == Resources(cpus=1, memory=128, time=180, expected=100.0, gpus=1)


def test_short_tasks_do_not_lower_the_cores(tmp_path):
    records = [attempt(index, wall=9.9, cpu=1.0) for index in range(2)]
    write_journal(tmp_path, SPACE, records, started=1000.0, slots=1, at=1100.0)
    assert request(tmp_path, Resources(cpus=4), cpus=4).cpus == 4


@pytest.mark.parametrize(("cpu", "cpus"), [(0.0, 1), (10.9, 1), (12.0, 2), (20.5, 2), (38.0, 4)])
def test_cores_are_what_a_task_keeps_busy(tmp_path, cpu, cpus):
    write_journal(tmp_path, SPACE, [attempt(0, cpu=cpu)])
    assert request(tmp_path).cpus == cpus


def test_what_was_too_little_is_doubled(tmp_path):
    records = [attempt(0), attempt(1, outcome="MEMORY"), attempt(2, outcome="TIMEOUT", wall=200.0)]
    write_journal(tmp_path, SPACE, records)
    fits = request(tmp_path, memory=512, time=200.0)
    assert (fits.memory, fits.time) == (1024, 420)


def test_all_waves_are_fitted(tmp_path):
    write_journal(tmp_path, SPACE, [attempt(0, outcome="MEMORY")], wave=1)
    write_journal(tmp_path, SPACE, [attempt(0, memory=400 * 1024, cpu=19.0)], wave=2)
    first, second = read_journals(tmp_path)
    waves = [wave_use(1, [first], WaveRequest(memory=128)), wave_use(2, [second], WaveRequest(memory=512))]
    assert fitting_request(waves, Resources()) == Resources(cpus=2, memory=480, time=60, expected=10.0)


def test_tasks_that_were_ended_do_not_say_how_many_cores_they_need(tmp_path):
    write_journal(tmp_path, SPACE, [attempt(0, outcome="MEMORY", cpu=1.0)])
    assert request(tmp_path, Resources(cpus=8), cpus=8, memory=100).cpus == 8


def test_tasks_that_fail_at_once_say_nothing(tmp_path):
    write_journal(tmp_path, SPACE, [attempt(0, outcome="FAILED", wall=0.1)])
    assert request(tmp_path) is None


def test_what_nobody_measured_stays_as_it_was(tmp_path):
    write_journal(tmp_path, SPACE, [{"index": 0, "wall": 5.0}])
    assert request(tmp_path, Resources(memory=777), memory=777).memory == 777


def waves_of(tmp_path, *waves):
    """Return the use of waves, each given as (request, attempts, jobs)."""
    for number, (_, records, _) in enumerate(waves, 1):
        write_journal(tmp_path, SPACE, records, wave=number)
    found = zip(read_journals(tmp_path), waves, strict=True)
    return [wave_use(1, [journal], WaveRequest(**given), jobs) for journal, (given, _, jobs) in found]


def test_the_scheduler_s_count_is_taken_where_it_is_larger(tmp_path):
    counted = JobMemory(used=437)
    (wave,) = waves_of(tmp_path, ({"memory": 2048}, [attempt(0, memory=75 * 1024)], [counted]))
    assert wave.counted == 437
    assert fitting_request([wave], Resources()).memory == 528  # 437 * 1.2, in steps of 16


@pytest.mark.parametrize(
    ("killed", "jobs"),
    [
        ([attempt(1, outcome="MEMORY", memory=60 * 1024)], []),
        # Without control groups of its own, the scheduler kills the whole job: no attempt has an outcome.
        ([], [JobMemory(limit=96, killed=True)]),
        ([], [JobMemory(used=96, killed=True)]),
    ],
)
def test_nothing_below_what_was_seen_or_killed_is_advised(tmp_path, killed, jobs):
    seen, too_little = [attempt(0, memory=437 * 1024)], [attempt(0, memory=10 * 1024), *killed]
    waves = waves_of(tmp_path, ({"memory": 2048}, seen, []), ({"memory": 96}, too_little, jobs))
    assert fitting_request(waves, Resources(memory=96)).memory == 528
    assert fitting_request(waves[1:], Resources(memory=96)).memory == 192, "twice what was killed"


def test_a_task_killed_without_a_request_needs_more_than_it_had(tmp_path):
    record = attempt(0, outcome="MEMORY", memory=300 * 1024)
    assert request(tmp_path) is None
    write_journal(tmp_path, SPACE, [record])
    assert request(tmp_path).memory == 608


def test_cores_are_those_of_the_busiest_wave(tmp_path):
    idle, busy = [attempt(index, cpu=1.0) for index in range(9)], [attempt(9, cpu=78.0)]
    assert fitting_request(waves_of(tmp_path, ({}, idle, []), ({}, busy, [])), Resources()).cpus == 8
