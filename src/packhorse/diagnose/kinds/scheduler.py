"""What a scheduler does to a job: limits, nodes, and waits that do not end."""

from packhorse.diagnose.kind import Kind

KINDS = (
    Kind(
        id="time-limit",
        states=("timed out",),
        patterns=(
            r"CANCELLED AT \S+ DUE TO TIME LIMIT",
            r"PBS: job killed: walltime (?P<used>\d+) exceeded limit (?P<given>\d+)",
        ),
        sentence="The job reached its time limit{limit}.",
        remedy="Ask for more time, or let the program write checkpoints and continue from them.",
        weight="root",
        change="time",
    ),
    Kind(
        id="memory-limit",
        states=("out of memory",),
        patterns=(
            r"[Dd]etected \d+ oom[-_]kill event",
            r"oom[-_]kill(er)? event",
            r"task \d+: Out Of Memory",
            r"Exceeded (job|step) memory limit",
            r"PBS: job killed: v?mem (?P<used>\S+) exceeded limit (?P<given>\S+)",
            r"job violates resource utilization policies.*MEM",
        ),
        sentence="The job used more memory than it asked for{memory}.",
        remedy="Ask for more memory, or hold less data at a time.",
        weight="root",
        change="memory",
    ),
    Kind(
        id="node-failure",
        states=("node failed",),
        patterns=(
            r"CANCELLED AT \S+ DUE TO NODE (?P<node>\S+ )?FAILURE",
            r"[Nn]ode failure on (?P<node>\S+)",
        ),
        sentence="A node failed; your job is not the cause.",
        remedy="Submit the job again; if it fails on the same node, exclude it (--exclude=NODE) and tell the site.",
        weight="root",
    ),
    Kind(
        id="preempted",
        states=("preempted",),
        patterns=(r"CANCELLED AT \S+ DUE TO PREEMPTION",),
        sentence="Another job with a higher priority took the nodes.",
        remedy="Submit the job again, to a partition without preemption, or with --requeue and checkpoints.",
        weight="root",
    ),
    Kind(
        id="cancelled",
        states=("cancelled",),
        patterns=(
            r"error: \*\*\* (?:JOB|STEP) \S+ ON \S+ CANCELLED AT \S+ \*\*\*",
            r"PBS: job killed: .*(?:qdel|deleted)",
        ),
        sentence="The job was cancelled by you, by the site's staff, or by a dependency that failed.",
        remedy="If you did not cancel it, ask the site's support, with the job's number.",
        sure="likely",
        weight="consequence",
    ),
    Kind(
        id="launch-folder",
        exits=(53,),
        patterns=(
            r"[Cc]ould not open stdout file (?P<path>\S+): No such file",
            r"Unable to copy file \S+ to (?P<path>\S+)",
        ),
        sentence="The log file could not be written{path}: its folder does not exist, or is full.",
        remedy="Make the folder on the site before you submit: mkdir -p FOLDER.",
        sure="likely",
    ),
    Kind(
        id="dependency-never",
        reasons=(r"waits for a job that did not end as it should",),
        patterns=(r"Reason=DependencyNeverSatisfied",),
        sentence="The job waits for another job that failed, so it never starts.",
        remedy="Cancel it, correct the other job, and submit both again.",
    ),
    Kind(
        id="held",
        states=("held",),
        patterns=(
            r"launch failed requeued held",
            r"job requeued in held state",
            r"Reason=JobHeld(User|Admin)",
        ),
        sentence="The job is held: {reason}.",
        remedy="Release it: scontrol release JOB, or qrls JOB. If it is held again, see its log.",
    ),
    Kind(
        id="cannot-run",
        reasons=(r"Can Never Run|asks for more (?:time|nodes) than|no node can ever give",),
        patterns=(
            r"Can Never Run: (?P<what>.+)",
            r"Reason=(?P<what>PartitionTimeLimit|PartitionNodeLimit|BadConstraints)",
        ),
        sentence="The job asks for more than the partition has, so it never starts: {what}{reason}.",
        remedy="Cancel it, and ask for less or for another partition: packhorse queues SITE.",
        change="partition",
    ),
    Kind(
        id="step-too-large",
        patterns=(r"Unable to create step for job \d+: (?P<what>.+)",),
        sentence="srun asks for more than the job has: {what}.",
        remedy="Let the options of srun fit the #SBATCH lines, or leave them out.",
    ),
    Kind(
        id="program-not-started",
        patterns=(r"execve\(\): (?P<program>\S+): (?P<why>No such file or directory|Permission denied)",),
        sentence="srun cannot start {program}: {why}.",
        remedy="Write the program's path, or load the module that provides it before srun.",
    ),
    Kind(
        id="shell-not-found",
        patterns=(
            r"exec of (?:shell ')?(?P<shell>/\S+?)'? failed",
            r"bad interpreter: (?P<shell>[^^]+): No such file",
        ),
        sentence="The first line of the script names {shell}, which does not exist on the node.",
        remedy="Write #!/bin/bash as its first line.",
    ),
)
