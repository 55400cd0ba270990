"""What the shell of a job says."""

from packhorse.diagnose.kind import Kind

KINDS = (
    Kind(
        id="module-command",
        patterns=(r"\b(?:module|ml): (?:command )?not found",),
        sentence="The job's shell does not know the command module.",
        remedy="Start the script with #!/bin/bash -l, or source /etc/profile before module load.",
        weight="root",
        change="login shell",
    ),
    Kind(
        id="module-unknown",
        patterns=(
            r"The following module\(s\) are unknown: \"?(?P<name>[^\"\s]+)",
            r"Unable to locate a modulefile for '(?P<name>[^']+)'",
            r"ModuleCmd_Load\.c.*'(?P<name>[^']+)'",
            r"The following module\(s\) (?:exist but )?cannot be loaded as requested: \"?(?P<name>[^\"\s]+)",
        ),
        sentence="The site has no module {name}, or another one must be loaded first.",
        remedy="module spider NAME, or packhorse modules SITE, shows what there is.",
        weight="root",
        change="modules",
    ),
    Kind(
        id="conda-not-initialised",
        patterns=(
            r"Your shell has not been properly configured to use 'conda activate'",
            r"Run 'conda init' before 'conda activate'",
        ),
        sentence="conda activate does not work in a job's shell without preparation, so the environment was not used.",
        remedy='Before it write: source "$(conda info --base)/etc/profile.d/conda.sh"',
        weight="root",
        rules=("J32",),
    ),
    Kind(
        id="conda-environment",
        patterns=(
            r"Could not find conda environment: (?P<name>\S+)",
            r"EnvironmentNameNotFound.*",
            r"Not a conda environment: (?P<name>\S+)",
            r"activate: No such file or directory",
        ),
        sentence="The environment {name} does not exist here.",
        remedy="conda env list shows yours; make it on this site, since environments cannot be copied from another machine.",
        weight="root",
    ),
    Kind(
        id="command-not-found",
        patterns=(
            r"(?:line \d+: |: )(?P<program>[^:\s]+): command not found",
            r": \d+: (?P<program>\S+): not found$",
        ),
        sentence="The program {program} is not found.",
        remedy="Load the module that provides it or activate its environment, check its spelling, or write its path.",
        rules=("J28",),
    ),
    Kind(
        id="shell-syntax",
        patterns=(
            r"line (?P<line>\d+): syntax error(?P<what>.*)",
            r"unexpected EOF while looking for matching",
        ),
        sentence="The shell cannot read the script{line}: a quote, bracket, do or fi is missing or misplaced.",
        remedy="bash -n JOB.sh shows the place; packhorse lint JOB.sh more.",
        weight="root",
    ),
    Kind(
        id="unbound-variable",
        patterns=(r"line \d+: (?P<name>\w+): unbound variable",),
        sentence="The script uses the variable {name}, which is not set.",
        remedy="Set it, submit the job as an array if it is the index of one, or write ${{{name}:-}} for a default.",
    ),
    Kind(
        id="argument-list",
        patterns=(r"Argument list too long",),
        sentence="A command got more arguments than the system allows.",
        remedy="Pass the names through find ... -exec, or xargs.",
    ),
    Kind(
        id="not-executable",
        patterns=(r"line \d+: (?P<path>\S+): Permission denied",),
        sentence="{path} may not be executed or read.",
        remedy="chmod +x {path}, or start it by its interpreter: bash {path}.",
    ),
    Kind(
        id="exec-format",
        patterns=(
            r"(?:^|[\s:])(?P<path>[^\s:]+): cannot execute(?: binary file)?: Exec format error",
            r"Exec format error: '(?P<path>[^']+)'",
        ),
        sentence="{path} was made for another type of machine.",
        remedy="Build or install it on this site, on a node of the same architecture (uname -m).",
    ),
    Kind(
        id="cannot-execute",
        patterns=(r"(?:^|[\s:])(?P<path>[^\s:]+): cannot execute: required file not found",),
        sentence="{path} names an interpreter that does not exist, often because of Windows line ends.",
        remedy="sed -i 's/\\r$//' {path}, or correct its first line.",
        sure="likely",
    ),
    Kind(
        id="library-missing",
        patterns=(
            r"error while loading shared libraries: (?P<name>[^:]+):",
            r"ImportError: (?P<name>lib\S+?): cannot open shared object file",
        ),
        sentence="The library {name} is not found.",
        remedy="Load the modules with which the program was built, or set LD_LIBRARY_PATH.",
    ),
    Kind(
        id="library-version",
        patterns=(r"version [`'](?P<name>(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+)' not found",),
        sentence="The program needs {name}, which is newer than the system's.",
        remedy="Build it on this site, load a newer compiler module (GLIBCXX), or use a container.",
    ),
    Kind(
        id="process-limit",
        patterns=(
            r"fork: (?:retry: )?Resource temporarily unavailable",
            r"can't start new thread",
            r"pthread_create failed",
        ),
        sentence="The job started more processes or threads than you may have.",
        remedy="Start fewer: set OMP_NUM_THREADS and the size of pools to the cores of the job.",
        rules=("J13",),
    ),
    Kind(
        id="illegal-instruction",
        patterns=(r"Illegal instruction",),
        exits=(132,),
        sentence="The program was built for a newer processor than this node has.",
        remedy="Build it on this kind of node, or ask for nodes like those where it was built (--constraint).",
        sure="likely",
    ),
    Kind(
        id="segmentation-fault",
        patterns=(r"Segmentation fault", r"caught segfault"),
        exits=(139,),
        sentence="The program, or a compiled library of it, accessed memory that it does not have.",
        remedy="Try other versions of its libraries; ulimit -s unlimited before it helps where the stack is too small.",
        sure="likely",
        weight="consequence",
    ),
    Kind(
        id="killed",
        patterns=(r"line \d+: +\d+ Killed\b", r"^Killed$", r"signal 9 \(Killed\)|SIGKILL"),
        exits=(137,),
        sentence="The program was killed from outside, most often since memory was short.",
        remedy="Ask for more memory; on a login node, run it in a job.",
        sure="possible",
        weight="consequence",
        change="memory",
    ),
)
