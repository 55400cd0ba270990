"""What `packhorse adopt` makes of jobs as people write them, and what it refuses."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("_sh", ".sh").replace("_py", ".py").replace("_R", ".R")).write_text(text)


def rows(folder: Path) -> list[dict[str, str]]:
    (path,) = folder.glob("runs/*/results.csv")
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def adopted(packhorse: Run, folder: Path, *arguments: str) -> str:
    done = packhorse("adopt", *arguments, "job.sh", cwd=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    return (folder / "study.yaml").read_text()


TASK = """
import os, random
i, last = int(os.environ["SLURM_ARRAY_TASK_ID"]), int(os.environ["SLURM_ARRAY_TASK_MAX"])
random.seed(i)
os.makedirs("results", exist_ok=True)
with open("results/sim_%04d.csv" % i, "w") as f:
    f.write("id,last,value\\n%d,%d,%r\\n" % (i, last, random.random()))
"""


def test_an_array_of_a_program_that_reads_the_index(packhorse: Run, tmp_path: Path) -> None:
    put(
        tmp_path,
        task_py=TASK,
        job_sh="#!/bin/bash\n#SBATCH --array=1-200%50\n#SBATCH -t 60\nmodule load python/3\npython task.py\n",
    )
    study = adopted(packhorse, tmp_path)
    assert "command: python task.py\n" in study
    assert 'result: "results/sim_{task_id:04d}.csv"' in study
    assert "time: " in study
    assert "max_jobs: 50" in study
    assert "modules: [python/3]" in study
    assert packhorse("run", cwd=tmp_path).returncode == 0
    table = rows(tmp_path)
    assert [row["id"] for row in table] == [str(i) for i in range(1, 201)]
    assert {row["last"] for row in table} == {"200"}


def test_an_index_as_argument_and_as_a_file(packhorse: Run, tmp_path: Path) -> None:
    program = 'import sys\nopen(sys.argv[2], "w").write("x y\\n" + "".join(f"{k} {k / int(sys.argv[1])}\\n" for k in range(3)))\n'
    job = "#!/bin/bash -l\n#SBATCH -a 1-9:4\nID=$SLURM_ARRAY_TASK_ID\npython array_test.py $ID $ID.dat\n"
    put(tmp_path, array_test_py=program, job_sh=job)
    study = adopted(packhorse, tmp_path)
    assert "command: python array_test.py {task_id} {task_id}.dat" in study
    assert 'result: "{task_id}.dat"' in study
    assert packhorse("run", cwd=tmp_path).returncode == 0
    assert [row["task_id"] for row in rows(tmp_path)] == ["1"] * 3 + ["5"] * 3 + ["9"] * 3


@pytest.mark.r
def test_a_simulation_in_r(packhorse: Run, tmp_path: Path) -> None:
    program = (
        'id <- as.integer(commandArgs(trailingOnly = TRUE)[1])\nset.seed(id)\ndir.create("out", showWarnings = FALSE)\n'
        'write.csv(data.frame(id = id, mean = mean(rnorm(10))), paste0("out/sim_", id, ".csv"), row.names = FALSE)\n'
    )
    put(tmp_path, single_simulation_R=program,
        job_sh="#!/bin/bash\n#SBATCH --array=1-3\n#SBATCH --mem-per-cpu=2G\nRscript single_simulation.R $SLURM_ARRAY_TASK_ID\n")  # fmt: skip
    study = adopted(packhorse, tmp_path)
    assert "result: out/sim_{task_id}.csv" in study
    assert 'memory: "2 GiB"' in study


def test_a_pool_of_eight_cores_is_one_task(packhorse: Run, tmp_path: Path) -> None:
    program = (
        "import os, json\nfrom multiprocessing import Pool\ndef f(x): return x * x\n"
        'if __name__ == "__main__":\n    cores = int(os.environ["SLURM_CPUS_PER_TASK"])\n'
        '    with Pool(2) as pool:\n        print(json.dumps({"cores": cores, "sum": sum(pool.map(f, range(9)))}))\n'
    )
    put(
        tmp_path,
        pool_py=program,
        job_sh="#!/bin/bash\n#SBATCH -J pool\n#SBATCH -n 1 -c 8 --mem=4G\nsrun python pool.py\n",
    )
    study = adopted(packhorse, tmp_path)
    assert "command: python pool.py\n" in study
    assert "cpus: 8" in study
    done = packhorse("try", cwd=tmp_path)
    assert "cores=8, sum=204" in done.stdout, done.stdout + done.stderr


@pytest.mark.r
@pytest.mark.parametrize(
    "body",
    [
        "library(parallel)\nr <- mclapply(1:4, function(i) i^2, mc.cores = cores)",
        "library(parallel)\ncl <- makeCluster(2)\nr <- parLapply(cl, 1:4, function(i) i^2)\nstopCluster(cl)",
    ],
)
def test_parallel_r_is_one_task(packhorse: Run, tmp_path: Path, body: str) -> None:
    program = (
        f'cores <- as.integer(Sys.getenv("SLURM_CPUS_PER_TASK"))\n{body}\n'
        'write.csv(data.frame(cores = cores, sum = sum(unlist(r))), "boot.csv", row.names = FALSE)\n'
    )
    put(tmp_path, boot_R=program, job_sh="#!/bin/bash\n#SBATCH -c 2\n#SBATCH --mem 1G\nRscript boot.R\n")
    study = adopted(packhorse, tmp_path)
    assert "cpus: 2" in study
    assert "result: boot.csv" in study


def test_the_processes_of_two_nodes_are_tasks(packhorse: Run, tmp_path: Path) -> None:
    program = (
        'import os\nr, n = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])\n'
        'open(f"part_{r}.csv", "w").write(f"sum\\n{sum(range(r, 100, n))}\\n")\n'
    )
    put(
        tmp_path,
        part_py=program,
        job_sh="#!/bin/bash\n#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=2\nsrun python part.py\n",
    )
    adopted(packhorse, tmp_path)
    assert packhorse("run", cwd=tmp_path).returncode == 0
    assert sum(int(row["sum"]) for row in rows(tmp_path)) == sum(range(100))
    (tmp_path / "part.py").write_text("from mpi4py import MPI\n" + program)
    refused = packhorse("adopt", "--force", "job.sh", cwd=tmp_path)
    assert refused.returncode == 2
    assert "asks for 2 nodes" in refused.stderr


SWEEPS = {
    "loop": "for n in 1 2; do\n  for s in a b; do\n    python f.py --n $n --s $s\n  done\ndone",
    "repeated": "python f.py --n 1 --s a\npython f.py --n 1 --s b\npython f.py --n 2 --s a\npython f.py --n 2 --s b",
    "background": "for n in 1 2; do for s in a b; do python f.py --n $n --s $s & done; done\nwait",
    "srun": "for n in 1 2; do for s in a b; do\nsrun -n1 --exclusive python f.py --n $n --s $s &\ndone; done\nwait",
    "parallel": "parallel -j 4 python f.py --n {1} --s {2} ::: 1 2 ::: a b",
    "parallel lines": "printf '1 a\\n1 b\\n2 a\\n2 b\\n' | parallel --colsep ' ' python f.py --n {1} --s {2}",
    "xargs": "printf '1 a\\n1 b\\n2 a\\n2 b\\n' | sed 's/ / --s /' | xargs -L 1 -P 4 python f.py --n",
    "read": "printf '1 a\\n1 b\\n2 a\\n2 b\\n' | while read -r n s; do python f.py --n $n --s $s; done",
    "arithmetic": "L=(a b)\nfor ((i=0;i<4;i++)); do python f.py --n $((i/2+1)) --s ${L[$((i%2))]}; done",
    "quoted": 'for n in {1..2}; do\n  for s in "a" \'b\'; do time python f.py --n "$n" --s "$s"; done\ndone',
}


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_in_one_job_becomes_tasks(packhorse: Run, tmp_path: Path, name: str) -> None:
    head = "#!/bin/bash\n#SBATCH --ntasks=4\n" if name == "srun" else "#!/bin/bash\n#SBATCH -c 4\n"
    put(tmp_path, f_py="", job_sh=f"{head}#SBATCH --mem=4G\n{SWEEPS[name]}\n")
    study = adopted(packhorse, tmp_path, "--no-try")
    assert "command: python f.py --n {n} --s {s}\n" in study
    assert "n: [1, 1, 2, 2]" in study
    assert "s: [a, b, a, b]" in study
    apart = name not in {"background", "srun", "parallel", "parallel lines", "xargs"}
    assert ("cpus: 4" in study) == apart


REFUSED = {
    "#SBATCH --array=1-9%1\npython a.py $SLURM_ARRAY_TASK_ID": "one index at a time",
    "#SBATCH --array=1-9\npython a.py": "all tasks would be the same",
    "python a.py $SLURM_ARRAY_TASK_ID": "names no array; it was on the submit line",
    "#SBATCH --array=1-9\nsbatch next.sh $SLURM_ARRAY_TASK_ID": "it submits jobs (sbatch)",
    "#SBATCH --array=1-9\n#SBATCH --dependency=afterok:7\npython a.py $SLURM_ARRAY_TASK_ID": "waits for another job",
    "#SBATCH --nodes=2\nmpirun ./a.out": "asks for 2 nodes",
    "#SBATCH --ntasks=8\nsrun ./a.out": "srun starts 8 processes",
    "#SBATCH --array=1-9\ncd /elsewhere/run$SLURM_ARRAY_TASK_ID\n./a.out": "leaves the task's copy",
    "#SBATCH --array=1-<N>\npython a.py $SLURM_ARRAY_TASK_ID": "template",
    "#SBATCH --array=1-9\npython a.py $SLURM_ARRAY_TASK_ID $1": "reads arguments ($1)",
    "#SBATCH --array=1-9\necho $SLURM_ARRAY_TASK_ID": "starts no program",
    "#SBATCH --array=x-9\npython a.py $SLURM_ARRAY_TASK_ID": "cannot be read",
    "#SBATCH -n 4\nNP=$(wc -l < $PBS_NODEFILE)\nmpirun -np $NP ./a.out": "PBS_NODEFILE",
}


@pytest.mark.parametrize("body", REFUSED)
def test_what_cannot_be_right_is_refused(packhorse: Run, tmp_path: Path, body: str) -> None:
    put(tmp_path, a_py="", job_sh=f"#!/bin/bash\n{body}\n")
    done = packhorse("adopt", "--no-try", "job.sh", cwd=tmp_path)
    assert done.returncode == 2
    assert REFUSED[body] in done.stderr
    assert not (tmp_path / "study.yaml").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\0\1\2", b"#!/bin/bash\r\npython a.py\r\n", b"x" * (1 << 21), b"\xff\xfe\n"]
)
def test_a_file_that_is_no_script_gets_a_message(packhorse: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "job.sh").write_bytes(content)
    done = packhorse("adopt", "--no-try", "job.sh", cwd=tmp_path)
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 2}
    assert done.returncode or content == b"\xff\xfe\n"


# Each of these would give a wrong study if the program were started without the script.
TRAPS = {
    "reads input": "echo $SLURM_ARRAY_TASK_ID | python a.py",
    "here-document": "python a.py <<EOF\n$SLURM_ARRAY_TASK_ID\nEOF",
    "output is the result": "python a.py $SLURM_ARRAY_TASK_ID > out_$SLURM_ARRAY_TASK_ID.txt",
    "moves the result": "python a.py $SLURM_ARRAY_TASK_ID\nmv out.csv out_$SLURM_ARRAY_TASK_ID.csv",
    "path": "export PATH=/opt/x/bin:$PATH\npython a.py $SLURM_ARRAY_TASK_ID",
    "date": "d=$(date +%F)\npython a.py $SLURM_ARRAY_TASK_ID $d",
    "random": "python a.py $SLURM_ARRAY_TASK_ID $RANDOM",
    "home": "python a.py $SLURM_ARRAY_TASK_ID $HOME/data",
    "or": "python a.py $SLURM_ARRAY_TASK_ID || python b.py",
    "if": "if python a.py $SLURM_ARRAY_TASK_ID; then python b.py; fi",
    "file test": "if [ -f done ]; then x=1; else x=2; fi\npython a.py $SLURM_ARRAY_TASK_ID $x",
    "ulimit": "ulimit -s unlimited\npython a.py $SLURM_ARRAY_TASK_ID",
    "trap": "trap 'cp x y' EXIT\npython a.py $SLURM_ARRAY_TASK_ID",
    "conda": "conda activate sim\npython a.py $SLURM_ARRAY_TASK_ID",
    "two programs": "python a.py $SLURM_ARRAY_TASK_ID\npython b.py $SLURM_ARRAY_TASK_ID",
}


@pytest.mark.parametrize("name", TRAPS)
def test_a_script_that_does_more_runs_as_it_is(packhorse: Run, tmp_path: Path, name: str) -> None:
    put(tmp_path, a_py="", b_py="", job_sh=f"#!/bin/bash\n#SBATCH --array=1-3\n{TRAPS[name]}\n")
    assert "command: bash job.sh\n" in adopted(packhorse, tmp_path, "--no-try")
    refused = packhorse("adopt", "--no-try", "--force", "--form", "named", "job.sh", cwd=tmp_path)
    assert refused.returncode == 2
    assert "cannot be taken apart" in refused.stderr


def test_a_path_of_this_project_becomes_relative(packhorse: Run, tmp_path: Path) -> None:
    (tmp_path / "sim").mkdir()
    folder = tmp_path / "sim"
    put(
        folder,
        a_py="",
        job_sh="#!/bin/bash\n#SBATCH --array=1-3\ncd /home/ada/projects/sim\nconda activate x\npython a.py $SLURM_ARRAY_TASK_ID\n",
    )
    study = adopted(packhorse, folder, "--no-try")
    assert "command: bash job.study.sh\n" in study
    assert (folder / "job.study.sh").read_text() == (folder / "job.sh").read_text().replace(
        "/home/ada/projects/sim", "."
    )


def test_finished_results_are_taken_in_and_the_others_run(packhorse: Run, tmp_path: Path) -> None:
    program = (
        'import os, sys\ni = int(sys.argv[1])\nos.makedirs("out", exist_ok=True)\n'
        'open(f"out/sim_{i}.csv", "w").write(f"n,value\\n{i % 3},{i / 7!r}\\n")\n'
    )
    job = "#!/bin/bash\n#SBATCH --array=1-9\nn=$((SLURM_ARRAY_TASK_ID % 3))\npython sim.py $SLURM_ARRAY_TASK_ID --n $n\n"
    put(tmp_path, sim_py=program, job_sh=job)
    for index in (1, 2, 3, 4, 5, 8, 12):
        subprocess.run(["python3", "sim.py", str(index)], cwd=tmp_path, check=True)
    out = tmp_path / "out"
    (out / "sim_2.csv").write_text("")
    (out / "sim_3.csv").write_text("n,value\n0,0.42")
    (out / "sim_4.csv").write_text('n,value\n1,"Error in solve(x) : singular"\n')
    written = packhorse("adopt", "--no-try", "--results", "out/sim_*.csv", "job.sh", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert "taken in: 3 of 9 tasks" in written.stdout
    for sentence in ("sim_2.csv is empty", "sim_3.csv is half written", "sim_4.csv holds the message of an error",
                     "3 tasks without a file: out/sim_6.csv, out/sim_7.csv, out/sim_9.csv", "1 file of no task, such as out/sim_12.csv"):  # fmt: skip
        assert sentence in written.stderr
    done = packhorse("run", cwd=tmp_path)
    assert "9 of 9 tasks done, 6 of them now" in done.stdout, done.stdout + done.stderr
    table = rows(tmp_path)
    assert [float(row["value"]) for row in table] == [i / 7 for i in range(1, 10)]
    assert [row["ph_start"] == "imported" for row in table] == [i in {1, 5, 8} for i in range(1, 10)]
    listed = packhorse("provenance", "--json", cwd=tmp_path).stdout
    assert '"file": "out/sim_8.csv", "sha256": ' in listed


def test_results_of_another_design_are_refused(packhorse: Run, tmp_path: Path) -> None:
    job = "#!/bin/bash\n#SBATCH --array=1-2\nN=(0 10 20)\npython sim.py --n ${N[$SLURM_ARRAY_TASK_ID]} out_$SLURM_ARRAY_TASK_ID.csv\n"
    put(tmp_path, sim_py="", job_sh=job)
    (tmp_path / "out_1.csv").write_text("n,value\n10,1.5\n")
    (tmp_path / "out_2.csv").write_text("n,value\n50,1.5\n")
    done = packhorse("adopt", "--no-try", "--results", "out_*.csv", "job.sh", cwd=tmp_path)
    assert done.returncode == 2
    assert "another design: out_2.csv has n=50" in done.stderr
    assert not (tmp_path / "study.yaml").exists()
    assert not (tmp_path / "runs").exists()


def test_more_than_forty_tasks_have_a_table(packhorse: Run, tmp_path: Path) -> None:
    lines = "".join(f"00{n},a {n},1e{n % 3},NA\n" for n in range(1, 51))
    job = (
        '#!/bin/bash\n#SBATCH --array=1-50\nIFS=, read -r a b c d <<< "$(sed -n "${SLURM_ARRAY_TASK_ID}p" list.csv)"\n'
        """python f.py --a $a --b "$b" --c $c --d "$d" --json '{"x": [1]}' --empty ""\n"""
    )
    put(tmp_path, job_sh=job, f_py="import json, sys\nprint(json.dumps({'got': ' '.join(sys.argv[1:])}))\n")
    (tmp_path / "list.csv").write_text(lines)
    study = adopted(packhorse, tmp_path)
    assert "csv: job-tasks.csv" in study
    assert "IFS" not in study
    done = packhorse("try", "--task", "4", cwd=tmp_path)
    assert '--a 005 --b a 5 --c 1e2 --d NA --json {\\"x\\": [1]} --empty ' in done.stdout, (
        done.stdout + done.stderr
    )


def test_the_table_of_a_combining_script_must_be_the_same(packhorse: Run, tmp_path: Path) -> None:
    program = (
        'import sys\ni = int(sys.argv[1])\nopen(f"r_{i}.csv", "w").write(f"id,value\\n{i},{i / 7!r}\\n")\n'
    )
    combine = (
        "import glob\nrows = [open(f).read().split()[1] for f in sorted(glob.glob('r_*.csv'))]\n"
        "open('all.csv', 'w').write('id,value\\n' + '\\n'.join(rows) + '\\n')\n"
    )
    put(tmp_path, sim_py=program, good_py=combine, bad_py=combine.replace("rows = [", "rows = ['9,0.5'] + [").replace("[1] for", "[1] for"),
        job_sh="#!/bin/bash\n#SBATCH --array=1-5\npython sim.py $SLURM_ARRAY_TASK_ID\n")  # fmt: skip
    tried = packhorse("adopt", "--combine", "good.py", "job.sh", cwd=tmp_path)
    assert tried.returncode == 0, tried.stderr
    assert "the table of good.py is the same: 2 rows" in tried.stdout
    assert "combine: good.py" in (tmp_path / "study.yaml").read_text()
    assert packhorse("run", cwd=tmp_path).returncode == 0
    checked = packhorse("check", "study.yaml", cwd=tmp_path)
    assert "pass  combining script: the table of good.py is the same: 5 rows" in checked.stdout, (
        checked.stdout
    )
    (tmp_path / "study.yaml").write_text((tmp_path / "study.yaml").read_text().replace("good.py", "bad.py"))
    failed = packhorse("check", "study.yaml", cwd=tmp_path)
    assert failed.returncode == 1
    assert "combining script: the table of bad.py is not the same; all.csv: it has 6 rows" in failed.stdout
    shutil.rmtree(tmp_path / "runs")
    for index in (1, 2, 3):
        subprocess.run(["python3", "sim.py", str(index)], cwd=tmp_path, check=True)
    words = ("adopt", "--force", "--no-try", "--results", "r_*.csv", "--combine")
    refused = packhorse(*words, "bad.py", "job.sh", cwd=tmp_path)
    assert refused.returncode == 1
    assert "the table of bad.py is not the same; all.csv: it has 4 rows instead of 3" in refused.stderr


def test_variables_of_the_submit_line(packhorse: Run, tmp_path: Path) -> None:
    """Qsub -v lr=0.1: without the value the argument would vanish, so it must be given."""
    put(
        tmp_path,
        f_py='import sys\nopen(f"r_{sys.argv[2]}.csv", "w").write(f"rate\\n{sys.argv[1]}\\n")\n',
        job_sh="#!/bin/sh\n#PBS -t 1-3\nSRC=/opt/x\npython f.py ${lr} $PBS_ARRAYID > /dev/null\necho $SRC $MODULE_HOME\n",
    )
    refused = packhorse("adopt", "job.sh", cwd=tmp_path)
    assert refused.returncode == 2
    assert "reads lr (line 4), which nothing in it sets" in refused.stderr
    assert "packhorse adopt --variable lr=VALUE job.sh" in refused.stderr
    for made in (
        "((lr = 1))",
        "printf -v lr %s 1",
        "read -r lr < f.py",
        "let lr=1",
        ": ${lr:=1}",
        "for lr in 1; do :; done",
    ):
        put(tmp_path, other_sh=f"#!/bin/bash\n#PBS -t 1-3\n{made}\npython f.py ${{lr}} $PBS_ARRAYID\n")
        accepted = packhorse("adopt", "--no-try", "-o", "other.yaml", "--force", "other.sh", cwd=tmp_path)
        assert accepted.returncode == 0, made + accepted.stderr
    done = packhorse(
        "adopt", "--json", "--variable", "lr=0.1", "--result", "r_{task_id}.csv", "job.sh", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["format"], told["tasks"], told["form"]) == ("packhorse-adopt/1", 3, "script")
    assert any("starts this script in the home directory" in note for note in told["notes"])
    assert any("MODULE_HOME is not set in the script" in note for note in told["notes"])
    assert packhorse("run", cwd=tmp_path).returncode == 0
    assert [row["rate"] for row in rows(tmp_path)] == ["0.1"] * 3


def test_paths_into_the_project_and_bash_in_a_script_of_sh(packhorse: Run, tmp_path: Path) -> None:
    put(
        tmp_path,
        f_py="import sys\nprint('{\"i\": %s}' % sys.argv[1])\n",
        job_sh=f"#!/bin/sh\n#SBATCH -a 1-2\nIN={tmp_path}/data\npython f.py $SLURM_ARRAY_TASK_ID >& log.txt\n",
    )
    done = packhorse("adopt", "--no-try", "job.sh", cwd=tmp_path)
    assert f"line 3: {tmp_path}/data names the project itself" in done.stderr
    assert "command: bash job.sh" in (tmp_path / "study.yaml").read_text()
