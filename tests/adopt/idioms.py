"""Job scripts as people write them: ten of each idiom by which a script gets its parameters from the index of its array.

Each builds its text from a number 0..9. The program, work.sh or work.py, writes its arguments to a file of the result.
"""

from __future__ import annotations

from collections.abc import Callable

# Writes {"args": ..., "id": ...} to the file that its last argument names.
WORK = """\
#!/bin/sh
for last; do :; done
printf '{"args": "%s", "extra": "%s"}\\n' "$*" "${EXTRA:-}" > "$last"
"""
LIST = "".join(f"alpha{n},{n * 10},0.{n}5\n" for n in range(12))
WORDS = "".join(f"--n {n * 10} --rate 0.{n}5 --kind k{n % 3}\n" for n in range(12))
FILES = {"list.csv": LIST, "words.txt": WORDS, "key.txt": "".join(f"{n} v{n * n}\n" for n in range(12))}

OUT = "out_$SLURM_ARRAY_TASK_ID.json"
RANGES = ["0-3", "1-4", "2-8:3", "1,4,9", "0-3%2", "3-6", "1-3", "[1-3]", "5,2", "0-6:2"]


def head(number: int, array: str = "", more: str = "") -> str:
    shebang = ["#!/bin/bash", "#!/bin/bash -l", "#!/usr/bin/env bash", "#! /bin/bash"][number % 4]
    directive = [f"#SBATCH --array={array}", f"#SBATCH -a {array}", f"#SBATCH --array {array}   # tasks"][
        number % 3
    ]
    return f"{shebang}\n#SBATCH --job-name=work{number}\n#SBATCH --time=0:10:00\n{directive}\n{more}\n"


def argument(n: int) -> str:
    flag = ["", "--task ", "--id=", "id=", "-i "][n % 5]
    quote = '"' if n % 2 else ""
    index = f"{quote}${{SLURM_ARRAY_TASK_ID}}{quote}"
    return head(n, RANGES[n]) + f"echo start\n./work.sh {flag}{index} {OUT}\n"


def name(n: int) -> str:
    shape = ["in_{}.txt", "data/{}/x", "conf-{}.yml", "s{}", "a.{}.b"][n % 5].format("${SLURM_ARRAY_TASK_ID}")
    return head(n, RANGES[n]) + f"time ./work.sh {shape} {OUT}\n"


def environment(n: int) -> str:
    lines = [
        "export EXTRA=$SLURM_ARRAY_TASK_ID",
        "EXTRA=$((SLURM_ARRAY_TASK_ID * 2)) ",
        "export EXTRA=fixed",
    ][n % 3]
    join = "" if lines.endswith(" ") else "\n"
    return head(n, RANGES[n]) + f"{lines}{join}./work.sh x {OUT}\n"


def bash_array(n: int) -> str:
    array = ["0-2", "1-3"][n % 2]
    item = ["${A[$SLURM_ARRAY_TASK_ID]}", "${A[SLURM_ARRAY_TASK_ID-1]}"][n % 2]
    values = ["0.1 0.2 0.5", "a b c", '"x y" z w', "$(seq 3)", "{1..3}"][n % 5]
    quote = '"' if n % 5 == 2 else ""
    filled = "A=()\nA+=(q)\nA+=(r s)" if n == 9 else f"A=({values})"
    return head(n, array) + f"{filled}\n./work.sh --rate {quote}{item}{quote} {OUT}\n"


def arithmetic(n: int) -> str:
    made = [
        "i=$((SLURM_ARRAY_TASK_ID-1))",
        "i=$(expr $SLURM_ARRAY_TASK_ID + 5)",
        "let i=SLURM_ARRAY_TASK_ID*3",
        "i=$[ $SLURM_ARRAY_TASK_ID + 2 ]",
        'i=$(echo "$SLURM_ARRAY_TASK_ID * 0.5" | bc)',
        'i=$(printf "%03d" $SLURM_ARRAY_TASK_ID)',
        "ID=$SLURM_ARRAY_TASK_ID; i=$((ID % 2))",
        "i=$((10000+SLURM_ARRAY_TASK_ID))",
        "i=$(awk -v k=$SLURM_ARRAY_TASK_ID 'BEGIN{print k/4}')",
        "declare -i i=SLURM_ARRAY_TASK_ID+1",
    ][n]
    return head(n, RANGES[n]) + f"{made}\n./work.sh $i {OUT}\n"


def line_of_file(n: int) -> str:
    got = [
        'sed -n "${SLURM_ARRAY_TASK_ID}p" words.txt',
        'sed "${SLURM_ARRAY_TASK_ID}q;d" words.txt',
        "head -n $SLURM_ARRAY_TASK_ID words.txt | tail -n 1",
        "tail -n +$SLURM_ARRAY_TASK_ID words.txt | head -n1",
        'awk "NR==$SLURM_ARRAY_TASK_ID" words.txt',
        "awk -v l=$SLURM_ARRAY_TASK_ID 'NR==l {print $0}' words.txt",
        "cat words.txt | sed -n ${SLURM_ARRAY_TASK_ID}p",
        'sed -n "$((SLURM_ARRAY_TASK_ID+1))p" words.txt',
        "grep -n '' words.txt | head -$SLURM_ARRAY_TASK_ID | tail -1 | cut -d: -f2",
        "sed -n ${SLURM_ARRAY_TASK_ID}p < words.txt",
    ][n]
    return head(n, "1-4") + f"ARGS=$({got})\n./work.sh $ARGS {OUT}\n"


def chunk(n: int) -> str:
    size = n + 2
    lines = f"SIZE={size}\nlo=$(( (SLURM_ARRAY_TASK_ID-1)*SIZE ))\nhi=$((lo+SIZE-1))\n"
    if n % 2:
        return head(n, "1-3") + lines + f"./work.sh --from $lo --to $hi {OUT}\n"
    # A loop in each task: several programs, so that the script itself is the task.
    return (
        head(n, "1-3")
        + lines
        + f"for j in $(seq $lo $hi); do ./work.sh $j part_$j.json; done\ncat part_$hi.json > {OUT}\n"
    )


def seed(n: int) -> str:
    base = 1000 * (n + 1)
    made = [f"SEED=$(({base}+SLURM_ARRAY_TASK_ID))", f"seed=$(({base} + 7*SLURM_ARRAY_TASK_ID))"][n % 2]
    variable = ["SEED", "seed"][n % 2]
    return head(n, RANGES[n]) + f"{made}\n./work.sh --seed ${variable} {OUT}\n"


def branches(n: int) -> str:
    if n % 2:
        body = (
            "if [ $SLURM_ARRAY_TASK_ID -eq 1 ]; then m=ols\nelif [[ $SLURM_ARRAY_TASK_ID == 2 ]]; then m=ridge\n"
            f"else m=lasso{n}\nfi\n./work.sh --method $m {OUT}\n"
        )
    else:
        body = f"case $SLURM_ARRAY_TASK_ID in\n  1) m=ols ;;\n  2|3) m=ridge{n} ;;\nesac\n./work.sh --method $m {OUT}\n"
    return head(n, "1-3") + body


def grid(n: int) -> str:
    if n % 2:
        lists = "A=(1 2)\nB=(x y z)\ni=$((SLURM_ARRAY_TASK_ID-1))\na=${A[$((i/${#B[@]}))]}\nb=${B[$((i%${#B[@]}))]}\n"
        return head(n, "1-6") + lists + f"./work.sh --a $a --b $b {OUT}\n"
    loops = (
        f'k=0\nfor a in 0.1 0.{n + 2}; do\n  for b in x y; do\n    P[$k]="$a $b"\n    k=$((k+1))\n  done\ndone\n'
        "set -- ${P[$SLURM_ARRAY_TASK_ID]}\n"
    )
    return head(n, "0-3") + loops + f"./work.sh --a $1 --b $2 {OUT}\n"


def fields(n: int) -> str:
    got = [
        'IFS=, read -r name n rate <<< "$(sed -n ${SLURM_ARRAY_TASK_ID}p list.csv)"',
        "line=$(sed -n ${SLURM_ARRAY_TASK_ID}p list.csv); name=$(echo $line | cut -d, -f1); n=$(echo $line | cut -d, -f2)\n"
        "rate=$(echo $line | awk -F, '{print $3}')",
        "name=$(awk -v k=$SLURM_ARRAY_TASK_ID '$1==k{print $2}' key.txt); n=5; rate=1",
        "IFS=',' read -ra F <<< \"$(sed -n ${SLURM_ARRAY_TASK_ID}p list.csv)\"; name=${F[0]}; n=${F[1]}; rate=${F[2]}",
        "mapfile -t L < list.csv; name=${L[$SLURM_ARRAY_TASK_ID]%%,*}; n=${SLURM_ARRAY_TASK_ID}; rate=${L[1]##*,}",
    ][n % 5]
    return (
        head(n, RANGES[n].replace("0-", "1-")) + f"{got}\n./work.sh --name $name --n $n --rate $rate {OUT}\n"
    )


def other_name(n: int) -> str:
    got = [
        "export TASK=$SLURM_ARRAY_TASK_ID\n./work.sh $TASK {}",
        "f=$(ls data | sed -n ${{SLURM_ARRAY_TASK_ID}}p)\n./work.sh data/$f {}",
        "FILES=(data/*.txt)\n./work.sh ${{FILES[$SLURM_ARRAY_TASK_ID]}} {}",
        "id=${{SLURM_ARRAY_TASK_ID}}\nname=case_${{id}}\n./work.sh $name {}",
        "cd data\n../work.sh $SLURM_ARRAY_TASK_ID ../{}",
    ][n % 5]
    return head(n, "1-3" if n % 2 else "1,2") + got.format(OUT) + "\n"


def pbs(n: int) -> str:
    variable, option = [("PBS_ARRAYID", "-t"), ("PBS_ARRAY_INDEX", "-J")][n % 2]
    start = "cd $PBS_O_WORKDIR\n" if n % 3 else 'cd "${PBS_O_WORKDIR}" || exit 1\n'
    array = ["1-3", "2-6:2"][n % 2]
    select = "#PBS -l select=1:ncpus=2:mem=1gb" if n % 2 else "#PBS -l nodes=1:ppn=2,mem=1gb"
    return (
        f"#!/bin/bash\n#PBS -N work{n}\n{select}\n#PBS -l walltime=00:10:00\n#PBS {option} {array}\n{start}"
        f"./work.sh --i ${variable} $((100 + {variable})) out_${variable}.json\n"
    )


IDIOMS: dict[str, Callable[[int], str]] = {
    one.__name__: one
    for one in (
        argument, name, environment, bash_array, arithmetic, line_of_file, chunk, seed, branches, grid, fields, other_name,
        pbs,
    )
}  # fmt: skip
