"""Why tasks start cold: each reason as the clause that `packhorse status` prints after "tasks start cold: ".

Each is listed in docs/explanation/warm-start.md. What a module does when it is imported is named by the warm process.
"""

SWITCHED_OFF = "`warm: false` or --no-warm"
NOT_LINUX = "warm starts need Linux"
FEW_TASKS = "the study has fewer than %s"
LONG_TASKS = "a task takes %.1f s; to try warm starts would cost more than they save in %s"
CHECKPOINTS = "tasks continue from checkpoints, so two starts of a task do not do the same"
VARIABLE_DIFFERS = "%s differs from task to task, and interpreters read it when they start"

OTHER_PROGRAM = "the command starts %s; Python and R scripts start warm"
PROGRAM_IN_OPTION = "the option %s holds the program; scripts in files start warm"
PROGRAM_FROM_INPUT = "the interpreter reads its program from standard input; scripts in files start warm"
NOT_A_FILE = "the script %s is not a regular file"
OPTION = "the interpreter has the option %s, which warm starts do not support"
VARIABLE = "the variable %s is set, which warm starts do not support"
PROFILE = "%s asks for the command line or for variables of a task"

NOTHING_LEARNT = "the script ends without the usual exit of its interpreter, so what it loads is unknown"
FILES_UNKNOWN = "Packhorse cannot see which files a task writes"
CHANGED = "differs between cold starts and warm ones"  # after "the script's result"
STUCK = "differs between cold starts, but not between warm ones"

ENDED = "the warm process ended unexpectedly"
ENDED_WITH_TASK = "the warm process ended unexpectedly, and its task with it"
R_DID_NOT_START = "R ended or waited when it started"
R_CLOSED_SCRIPT = "R closed the file of its script"
PACKAGES_CHANGED = "installed packages changed during the run"
FAILED = "the warm process failed %d times: %s"
