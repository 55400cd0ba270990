"""The test cluster itself: a real Slurm that behaves as clusters do, and that touches nothing else on the machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.testbed import ROOT, Cluster, script

NODES = ["d1", "d2", "g1", "n1", "n2", "n3", "n4"]
TOP = Path("/sys/fs/cgroup")


def submit(cluster: Cluster, *words: str | Path, cwd: Path | None = None) -> str:
    """Submit as alice and return the job's number."""
    done = cluster.run("alice", ["sbatch", "--parsable", *words], cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def running(process: Path) -> bool:
    """Tell whether the process whose number a file holds is there, and is no zombie."""
    try:
        stat = Path(f"/proc/{process.read_text().strip()}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_every_node_is_ready(cluster: Cluster) -> None:
    cluster.until("all nodes are idle", lambda: "idle" in cluster.ask("sinfo", "--noheader", "--format=%T"))
    shown = cluster.ask("sinfo", "--noheader", "--Node", "--format=%N").split()
    assert sorted(shown) == sorted(map(cluster.node, NODES))
    partitions = cluster.ask("sinfo", "--noheader", "--format=%P %D %c %m %l").splitlines()
    assert partitions == [
        "general* 4 8 16000 7-00:00:00",
        "debug 2 8 16000 4:00:00",
        "gpu 1 8 16000 2-00:00:00",
    ]


def test_a_job_runs_as_its_user_where_it_was_submitted(cluster: Cluster) -> None:
    place = cluster.workspace("alice")
    job = submit(cluster, "--output=out", "--wrap=id --user --name; pwd; which sbatch", cwd=place)
    assert cluster.ended(job) == ["COMPLETED"]
    user, where = cluster.called("alice"), str(place)
    assert (place / "out").read_text().splitlines() == [user, where, "/usr/bin/sbatch"]


def test_the_packhorse_of_its_users_is_this_checkout(cluster: Cluster) -> None:
    shown = cluster.run("alice", ["packhorse", "--version"])
    assert shown.stdout.startswith("packhorse "), shown.stderr
    python = cluster.directory / "packhorse/current/bin/python"
    where = cluster.run(
        "alice", [python, "-c", "import packhorse; print(*packhorse.__path__)"]
    ).stdout.strip()
    assert Path(where).is_relative_to(cluster.directory)
    here = ROOT / "src/packhorse"
    installed = {path.relative_to(where): path.read_bytes() for path in Path(where).rglob("*.py")}
    assert installed == {path.relative_to(here): path.read_bytes() for path in here.rglob("*.py")}


def test_every_node_has_a_name_of_its_own(cluster: Cluster) -> None:
    if cluster.one_user:
        pytest.skip("without root all nodes have this machine's host name")
    done = cluster.run("alice", ["srun", "--nodes=3", "hostname"])
    assert len(set(done.stdout.split())) == 3
    assert set(done.stdout.split()) < set(map(cluster.node, NODES)), done.stderr


def test_a_program_may_stand_on_a_login_node(cluster: Cluster) -> None:
    place = cluster.workspace("alice")
    words = "hostname; id -un; sbatch --wait --wrap='hostname >out' --partition=gpu; cat out"
    done = cluster.run("alice", ["sh", "-c", words], cwd=place, host="testbed-login")
    told = done.stdout.splitlines()  # its third line is sbatch's
    assert [*told[:2], *told[3:]] == ["testbed-login", cluster.called("alice"), cluster.node("g1")]
    assert socket.gethostname() != "testbed-login"


def test_a_job_that_takes_more_memory_than_it_asked_for_is_killed(cluster: Cluster) -> None:
    hungry = f"{sys.executable if cluster.one_user else '/usr/bin/python3'} -c 'import time; x = b\"x\" * 300_000_000; time.sleep(60)'"
    place = cluster.workspace("alice")
    job = submit(cluster, "--mem=64M", "--output=out", "--wrap", hungry, cwd=place)
    # Without control groups Slurm 22.05 kills what it sees to be too large, and calls it failed.
    limited = cluster.memory_limited_by != "none"
    assert cluster.ended(job) == ["OUT_OF_MEMORY" if limited else "FAILED"]


def test_a_job_sees_the_gpus_that_it_asked_for(cluster: Cluster) -> None:
    place = cluster.workspace("alice")
    job = submit(
        cluster,
        "--partition=gpu",
        "--gres=gpu:a100:2",
        "--output=out",
        "--wrap=echo $CUDA_VISIBLE_DEVICES",
        cwd=place,
    )
    assert cluster.ended(job) == ["COMPLETED"]
    assert (place / "out").read_text() == "0,1\n"


def test_an_array_has_an_element_for_each_index_up_to_the_limit(cluster: Cluster) -> None:
    place = cluster.workspace("alice")
    job = submit(cluster, "--array=7,10000", "--output=%a", "--wrap=echo $SLURM_ARRAY_TASK_ID", cwd=place)
    assert cluster.ended(job) == ["COMPLETED", "COMPLETED"]
    assert sorted(path.read_text() for path in place.iterdir()) == ["10000\n", "7\n"]
    beyond = cluster.run("alice", ["sbatch", "--array=10001", "--wrap=true"])
    assert "Invalid job array specification" in beyond.stderr


def test_what_a_partition_cannot_do_is_refused_at_once(cluster: Cluster) -> None:
    long = cluster.run("alice", ["sbatch", "--partition=debug", "--time=5:00:00", "--wrap=true"])
    assert (long.returncode, long.stdout) == (1, "")
    assert "Requested time limit is invalid" in long.stderr


def test_a_mail_that_slurm_sends_is_kept(cluster: Cluster) -> None:
    before = len(cluster.mails())
    job = submit(
        cluster, "--job-name=letter", "--mail-type=END", "--mail-user=alice@example.org", "--wrap=true"
    )
    cluster.until("the mail is there", lambda: len(cluster.mails()) > before)
    to, subject = cluster.mails()[-1].splitlines()[:2]
    assert to == "To: alice@example.org"
    assert subject.startswith(f"Subject: Slurm Job_id={job} Name=letter Ended")


def test_ended_jobs_are_remembered(cluster: Cluster) -> None:
    if not cluster.accounting:
        pytest.skip("this cluster has no accounting: slurmdbd is not brought up without root")
    job = submit(cluster, "--wrap=exit 3")
    cluster.ended(job)
    words = ["--noheader", "--parsable2", "--allocations", "--format=State,ExitCode,Account", f"--jobs={job}"]
    cluster.until("sacct knows it", lambda: cluster.ask("sacct", *words) == "FAILED|3:0|lab\n")


def test_a_node_that_dies_takes_its_job_along_and_comes_back(cluster: Cluster) -> None:
    place = cluster.workspace("alice")
    # What scrubs its environment is found all the same.
    work = "env --ignore-environment sleep 1234 & echo $! >process; wait"
    node = cluster.node("n2")
    job = submit(cluster, f"--nodelist={node}", "--no-requeue", "--output=out", "--wrap", work, cwd=place)
    process = place / "process"
    cluster.until("the job works", lambda: process.exists() and process.read_text().strip())
    assert running(process)
    cluster.kill("n2")
    assert not running(process)
    # Slurm sees it by itself after half a minute; somebody who says so is quicker.
    cluster.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=power")
    assert cluster.ended(job) == ["NODE_FAIL"]
    cluster.start("n2")
    idle = ["sinfo", "-h", f"--nodes={node}", "--format=%T"]
    cluster.until("n2 is idle", lambda: cluster.ask(*idle) == "idle\n")


def test_a_controller_that_hangs_or_dies_comes_back_with_its_jobs(cluster: Cluster) -> None:
    begin = time.time()
    job = submit(cluster, "--hold", "--wrap=true")
    # slurmctld writes down what it knows every few seconds; killed before, it forgets.
    saved = cluster.directory / "state" / "job_state"
    cluster.until("slurmctld has written it down", lambda: saved.exists() and saved.stat().st_mtime > begin)
    cluster.freeze("slurmctld")
    asked = cluster.run("alice", ["timeout", "1", "squeue"])
    assert asked.returncode == 124
    cluster.thaw("slurmctld")
    cluster.kill("slurmctld")
    refused = cluster.run("alice", ["sinfo"])
    assert "Unable to contact slurm controller" in refused.stderr
    cluster.start("slurmctld")
    ping = ["scontrol", "ping"]
    cluster.until("slurmctld answers", lambda: cluster.run("alice", ping).returncode == 0)
    assert cluster.states(job) == ["PENDING"]
    cluster.run("alice", ["scancel", job])


def free(port: int) -> bool:
    """Tell whether nobody listens at a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder with a short path, for sockets, which the daemons' users reach, unlike tmp_path."""
    with tempfile.TemporaryDirectory(prefix="packhorse-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def another(place: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Return `another(*words, env=)`: scripts/cluster for a second cluster; as root with users of its own."""
    settings = {
        "PACKHORSE_CLUSTER": str(place / "second"),
        "PACKHORSE_CLUSTER_USERS": "ph-carol",
        "PACKHORSE_CLUSTER_PORT": "",
    }

    def run(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return script(*words, env={**settings, **(env or {})})

    yield run
    assert run("down").returncode == 0


LEAN = ("up", "--bare", "--memory", "none", "--accounting", "no")


def test_down_removes_everything_that_up_made(cluster: Cluster, another, place: Path) -> None:
    def of_machine() -> dict[str, object]:
        return {
            "users": [entry.pw_name for entry in pwd.getpwall()],
            "groups": sorted(path for path in TOP.glob("*/slurm_*") if path.is_dir()),
            "policies": sorted(Path("/etc/pam.d").iterdir()) + sorted(Path("/usr/sbin").glob("policy-rc.d")),
            "processes": processes_of(place),
            "made": sorted(place.iterdir()),
            "mailboxes": sorted(Path("/var/mail").glob("*")),
            "sshd's folder": Path("/run/sshd").exists(),
        }

    # Other sessions' clusters come and go; those beside this one take this turn for it (place.turn).
    turn = os.open(cluster.directory.parent, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(turn, fcntl.LOCK_EX)
    before = of_machine()
    up = another(*LEAN)
    assert up.returncode == 0, up.stdout
    assert "7 nodes" in up.stdout
    second = Cluster(place / "second")
    during = of_machine()
    assert second.ask("srun", "--partition=debug", "echo", "works") == "works\n"
    assert len(during["processes"]) >= 9  # type: ignore[arg-type]
    if not cluster.one_user:
        assert pwd.getpwnam("ph-carol").pw_dir == str(place / "second/home/ph-carol")
        device = (place / "second/dev/gpu0").stat()
        assert stat.S_ISCHR(device.st_mode)
        assert pwd.getpwnam("ph-carol-duo").pw_dir == str(place / "second/home/ph-carol-duo")
    if (cluster.directory / "sshd").exists():
        assert service(place).read_text().startswith(f"# Packhorse's test cluster in {place}/second\n")
    # A job goes too, and what a user that goes had left running beside it.
    second.run("ph-carol", ["sbatch", "--wrap=sleep 1234"])
    left = None if cluster.one_user else second.start_as("ph-carol", ["sleep", "1235"])
    down = another("down")
    assert down.returncode == 0, down.stdout
    if left:
        assert left.wait(timeout=10) == -signal.SIGKILL
        left.communicate()
    assert of_machine() == before
    os.close(turn)


def service(place: Path) -> Path:
    """Return the PAM service of the second cluster's sshd."""
    name = hashlib.sha256(str(place / "second").encode()).hexdigest()[:8]
    return Path("/etc/pam.d") / f"packhorse-sshd-{name}"


def test_a_pam_service_of_somebody_else_is_refused_and_left_alone(
    cluster: Cluster, another, place: Path
) -> None:
    if not (cluster.directory / "sshd").exists():
        pytest.skip("no sshd: without root, or scripts/system-packages")
    theirs = service(place)
    theirs.write_text("auth required pam_deny.so\n")
    try:
        refused = another(*LEAN)
        assert refused.returncode == 1
        assert f"{theirs} is there already and is not of this cluster. It was left alone." in refused.stdout
        assert theirs.read_text() == "auth required pam_deny.so\n"
        assert not (place / "second").exists()
    finally:
        theirs.unlink()


def processes_of(place: Path) -> list[str]:
    """Return the processes whose environment or arguments name a place."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            known = path.name.isdecimal() and path.name != str(os.getpid())
            text = (path / "environ").read_bytes() + (path / "cmdline").read_bytes() if known else b""
        except OSError:
            continue
        if os.fsencode(place / "second") + b"/etc" in text:
            found.append(path.name)
    return found


def test_up_and_down_may_be_said_again(another, place: Path) -> None:
    assert another("down").stdout == f"No cluster is in {place / 'second'}.\n"
    assert another(*LEAN).returncode == 0
    pids = {path.name: path.read_text() for path in (place / "second/pids").iterdir()}
    assert another(*LEAN).returncode == 0
    assert {path.name: path.read_text() for path in (place / "second/pids").iterdir()} == pids
    assert another("down").returncode == 0
    assert another("down").returncode == 0


def test_a_test_session_takes_down_what_none_else_uses_or_keeps(another, place: Path) -> None:
    assert another(*LEAN, "--passing").returncode == 0
    other = os.open(place / "second", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_SH)
    assert "stays" in another("down", "--passing").stdout
    os.close(other)
    assert "is gone" in another("down", "--passing").stdout
    assert another(*LEAN).returncode == 0
    assert another(*LEAN, "--passing").returncode == 0
    assert "stays" in another("down", "--passing").stdout
    assert "is gone" in another("down").stdout


def test_half_a_cluster_is_repaired(another, place: Path) -> None:
    assert another(*LEAN).returncode == 0
    second = Cluster(place / "second")
    for name in ("munged", second.node("n3")):
        said = (place / f"second/pids/{name}.json").read_text()
        os.kill(int(said.partition(":")[2].partition(",")[0]), 9)
    (place / "second/etc/slurm.conf").unlink()
    up = another(*LEAN)
    assert up.returncode == 0, up.stdout
    assert second.ask("srun", f"--nodelist={second.node('n3')}", "echo", "works") == "works\n"


def test_a_port_that_is_taken_is_refused_and_its_owner_left_alone(another, place: Path) -> None:
    # Below the ports that the system hands out, so that nobody else comes between.
    first = next(one for one in range(20_000, 26_000, 11) if all(map(free, range(one, one + 11))))
    with socket.create_server(("127.0.0.1", first + 3)) as foreign:
        port = first + 3
        refused = another(*LEAN, env={"PACKHORSE_CLUSTER_PORT": str(first)})
        assert refused.returncode == 1
        assert f"Something listens at port {port} of this machine already" in refused.stdout
        assert "It was left alone" in refused.stdout
        with socket.create_connection(foreign.getsockname(), timeout=5), foreign.accept()[0]:
            pass
    assert not (place / "second").exists()


def test_without_a_named_port_free_ones_are_found(cluster: Cluster, another, place: Path) -> None:
    assert another(*LEAN).returncode == 0
    assert Cluster(place / "second").ports not in range(cluster.ports - 9, cluster.ports + 10)


def test_a_folder_of_somebody_else_is_refused_and_left_alone(another, place: Path) -> None:
    (place / "second").mkdir()
    (place / "second/thesis.tex").write_text("everything")
    for words in (LEAN, ("down",)):
        refused = another(*words)
        assert refused.returncode == 1
        assert "is not a Packhorse cluster" in refused.stdout
    assert [path.read_text() for path in (place / "second").iterdir()] == ["everything"]
    (place / "second/thesis.tex").unlink()


def test_a_user_of_the_machine_is_refused_and_left_alone(cluster: Cluster, another, place: Path) -> None:
    if cluster.one_user:
        pytest.skip("without root no users are made")
    before = Path("/etc/passwd").read_bytes()
    refused = another(*LEAN, env={"PACKHORSE_CLUSTER_USERS": "ph-carol nobody"})
    assert refused.returncode == 1
    assert "This machine has a user nobody already" in refused.stdout
    assert "PACKHORSE_CLUSTER_USERS=" in refused.stdout
    assert Path("/etc/passwd").read_bytes() == before
    assert not (place / "second").exists()


def test_two_clusters_limit_memory_side_by_side(cluster: Cluster, another, place: Path) -> None:
    if cluster.memory_limited_by == "none":
        pytest.skip("control groups do not limit memory on this machine")
    mine = control_groups("slurm_ph-carol-", "ph-carol-")
    up = another("up", "--bare", "--accounting", "no")
    assert up.returncode == 0, up.stdout
    second = Cluster(place / "second")
    assert second.memory_limited_by == cluster.memory_limited_by
    hungry = "/usr/bin/python3 -c 'import time; x = b\"x\" * 300_000_000; time.sleep(60)'"
    jobs = {}
    for one, user in ((cluster, "alice"), (second, "ph-carol")):
        words = ["sbatch", "--parsable", "--mem=64M", f"--nodelist={one.node('n1')}", "--wrap", hungry]
        jobs[one] = one.run(user, words, cwd=one.workspace(user)).stdout.strip()
    for one, job in jobs.items():
        assert one.ended(job) == ["OUT_OF_MEMORY"]
    assert mine()
    assert another("down").returncode == 0
    assert not mine()
    # The other's own are where they were.
    job = submit(cluster, "--mem=64M", "--wrap", hungry, cwd=cluster.workspace("alice"))
    assert cluster.ended(job) == ["OUT_OF_MEMORY"]


def control_groups(*beginnings: str) -> Callable[[], list[Path]]:
    """Return what lists the control groups, of version 1 or 2, whose names begin so."""
    return lambda: sorted(
        path
        for pattern in ("*/{}*", "system.slice/{}*")
        for beginning in beginnings
        for path in TOP.glob(pattern.format(beginning))
        if path.is_dir()
    )


def test_control_groups_of_another_slurm_are_not_shared(cluster: Cluster, another, place: Path) -> None:
    if cluster.memory_limited_by != "cgroup/v1":
        pytest.skip("control groups of version 1 do not limit memory on this machine")
    theirs = TOP / "freezer" / "slurm_ph-carol-n1"
    theirs.mkdir()
    try:
        refused = another("up", "--bare")
        assert refused.returncode == 1
        assert f"{theirs} is there already: another Slurm" in refused.stdout
        assert theirs.is_dir()
        assert not (place / "second").exists()
    finally:
        theirs.rmdir()


def test_a_slurm_that_is_there_already_is_neither_asked_nor_changed(another, place: Path) -> None:
    """A munged that runs, and a SLURM_CONF that somebody has in the environment."""
    theirs = place / "theirs"
    theirs.mkdir(mode=0o755)
    conf = theirs / "slurm.conf"
    conf.write_text("ClusterName=theirs\nSlurmctldHost=elsewhere\n")
    key = theirs / "key"
    key.write_bytes(os.urandom(64))
    key.chmod(0o600)
    argv = ["/usr/sbin/munged", "--foreground", "--force", f"--key-file={key}", f"--socket={theirs}/socket"]
    argv += [f"--pid-file={theirs}/pid", f"--log-file={theirs}/log", f"--seed-file={theirs}/seed"]
    munged = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        system = sorted(Path("/run/munge").glob("*")), sorted(Path("/etc/slurm").glob("*"))
        up = another(*LEAN, env={"SLURM_CONF": str(conf)})
        assert up.returncode == 0, up.stdout
        assert Cluster(place / "second").ask("scontrol", "show", "config").count("theirs") == 0
        assert another("down", env={"SLURM_CONF": str(conf)}).returncode == 0
        assert munged.poll() is None
        assert conf.read_text() == "ClusterName=theirs\nSlurmctldHost=elsewhere\n"
        assert system == (sorted(Path("/run/munge").glob("*")), sorted(Path("/etc/slurm").glob("*")))
    finally:
        munged.terminate()
        munged.wait(10)


def test_an_ordinary_user_brings_up_a_cluster_of_her_own(cluster: Cluster) -> None:
    if cluster.one_user:
        pytest.skip("this session is such a user's, so all the other tests show it")
    place = cluster.workspace("alice")
    shutil.copytree(ROOT / "scripts", place / "scripts")  # the checkout may be closed to her
    python = cluster.directory / "packhorse/current/bin/python"

    def say(*words: str) -> str:
        done = cluster.run("alice", [python, "scripts/cluster", *words], cwd=place, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    env = {"PACKHORSE_CLUSTER": str(place / "own")}
    lacking = cluster.run("alice", [python, "scripts/cluster", "up"], cwd=place, env={**env, "PATH": "/sbin"})
    assert lacking.returncode == 3
    assert "Not installed: sbatch, squeue" in lacking.stderr
    assert "as root: scripts/system-packages --cluster" in lacking.stderr
    assert not (place / "own").exists()
    assert "Memory is limited by Slurm" in say("up", "--bare")
    try:
        job = "sbatch --wait --output=out --partition=debug --wrap 'id -un; echo $SLURMD_NODENAME'"
        shown = cluster.run(
            "alice", ["sh", "-c", f". own/env && {job} && cat out && sinfo -h -o %D"], cwd=place
        )
        assert shown.stdout.split("\n", 1)[1] == f"{cluster.called('alice')}\nd1\n7\n", shown.stderr
    finally:
        say("down")
    assert sorted(path.name for path in place.iterdir()) == ["out", "scripts"]


def test_a_name_that_nothing_has_is_refused(cluster: Cluster) -> None:
    refused = script("kill", "n9")
    assert refused.returncode == 1
    assert "Nothing here is called 'n9'; known: n1, n2," in refused.stdout
