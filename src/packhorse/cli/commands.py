"""The list of commands; each module is imported only when its command is called, so that `packhorse` starts quickly."""

from __future__ import annotations

import difflib
import shlex

import click

from packhorse.cli.lazy_group import LazyGroup

# name: (module, one line of help), in the order in which a new user needs them.
COMMANDS = {
    "run": ("runs.run", "Run a study, or a script once, and collect the results."),
    "map": ("runs.map", "Run a command over parameters, in one line."),
    "init": ("studies.init", "Write a study file for a script."),
    "adopt": ("studies.adopt", "Make a study of an existing job script."),
    "plan": ("studies.plan", "Show what a study would run, without running it."),
    "pilot": ("usage.pilot", "Run a few tasks, and say what the whole study needs."),
    "try": ("studies.try_task", "Run one task here in the foreground."),
    "status": ("inspect.status", "Show the state of a run."),
    "put": ("sites.put", "Upload files and folders to a site."),
    "get": ("sites.get", "Download files and folders from a site."),
    "ls": ("sites.ls", "List a folder of a site."),
    "runs": ("inspect.runs", "List the runs here."),
    "logs": ("inspect.logs", "Show the output of tasks."),
    "diagnose": ("jobs.diagnose", "Say why a job failed, and what to change."),
    "explain": ("inspect.explain", "Show what a task ran, where, with what, and how to repeat it."),
    "collect": ("inspect.collect", "Merge finished tasks into the table, also while a run works."),
    "summary": ("inspect.summary", "Summarise the table, with Monte Carlo standard errors."),
    "check": ("studies.check", "Check results: tasks, seeds, outliers, and what the study expects."),
    "efficiency": ("inspect.efficiency", "Show what a run requested and used, and what to request."),
    "cost": ("usage.cost", "Show what runs have used: core-hours, energy, carbon, money."),
    "retry": ("runs.retry", "Run failed tasks again."),
    "cancel": ("runs.cancel", "Stop a run; finished tasks are kept."),
    "rerun": ("runs.rerun", "Run finished tasks again and compare bit for bit."),
    "provenance": ("inspect.provenance", "Show what made the results of a run."),
    "connect": ("sites.connect", "Log in to a site once; other commands share the connection."),
    "shell": ("sites.shell", "Open a shell at a site, on its login node or in a job."),
    "ssh-config": ("sites.ssh_config", "Print ssh settings for other programs to share the connection."),
    "lint": ("jobs.lint", "Check job scripts and the source that they run for mistakes."),
    "translate": ("jobs.translate", "Rewrite a job script for another scheduler."),
    "submit": ("jobs.submit", "Submit a job script of your own to a site."),
    "queues": ("jobs.queues", "Show free resources, and where a job would start soonest."),
    "jobs": ("jobs.jobs", "List all your jobs on all your sites."),
    "script": ("jobs.script", "Make a job script for a site, checked against its limits."),
    "sites": ("sites.sites", "List the sites to run on, and show, choose or probe one."),
    "modules": ("sites.modules", "List a site's modules, and show what they provide."),
    "env": ("sites.env", "List the environments built on a site, or remove some."),
    "du": ("runs.du", "Show the disk space of runs."),
    "rm": ("runs.rm", "Remove a run."),
    "doctor": ("inspect.doctor", "Check this machine and the runs here."),
    "schema": ("studies.schema", "Print the JSON Schema of study files, for editors."),
    "r": ("studies.r", "Print the path of the file that gives R ph_map, ph_lapply and more."),
    "completion": ("completion", "Print shell completion for bash, zsh or fish."),
}


# What people type who know schedulers, ssh or other tools.
SYNONYMS = {
    "help": "packhorse --help",
    "ls": "packhorse runs lists the runs here; packhorse shell SITE, then ls, the files of a site",
    "list": "packhorse runs",
    "login": "packhorse connect SITE",
    "ssh": "packhorse shell SITE",
    "upload": "packhorse put FILES SITE:FOLDER",
    "download": "packhorse get SITE:PATH",
    "scp": "packhorse put FILES SITE:FOLDER, packhorse get SITE:PATH",
    "rsync": "packhorse put FILES SITE:FOLDER, packhorse get SITE:PATH",
    **dict.fromkeys(("squeue", "qstat", "sacct", "queue"), "packhorse jobs"),
    **dict.fromkeys(("sbatch", "qsub"), "packhorse submit JOB.sh --site SITE"),
    **dict.fromkeys(("sinfo", "partitions"), "packhorse queues SITE"),
    **dict.fromkeys(("scancel", "qdel", "kill", "stop"), "packhorse cancel RUN"),
    **dict.fromkeys(
        ("quota", "storage", "space"), "packhorse du; packhorse sites show SITE for the limits of a site"
    ),
    **dict.fromkeys(("results", "table", "merge"), "packhorse collect RUN"),
    **dict.fromkeys(("watch", "progress", "follow"), "packhorse status RUN"),
    **dict.fromkeys(("test", "debug"), "packhorse try"),
    **dict.fromkeys(("resume", "continue"), "packhorse run"),
    "convert": "packhorse translate JOB.sh --to slurm, torque or pbspro",
    "why": "packhorse diagnose JOB, JOB.sh, RUN or LOGFILE",
    "module": "packhorse modules SITE",
}


class Commands(LazyGroup):
    """The commands of `packhorse`."""

    def hint(self, word: str) -> str:
        """Return the nearest command, or the command that runs a file."""
        if word.endswith((".yaml", ".yml", ".py", ".R")):
            return f"To run it: packhorse run {shlex.quote(word)}"
        if word in SYNONYMS:
            return f"Type: {SYNONYMS[word]}"
        near = difflib.get_close_matches(word, self.table, n=1)
        return f"Did you mean '{near[0]}'?" if near else ""


@click.group(cls=Commands, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="packhorse", message="packhorse %(version)s")
def packhorse() -> None:
    """Run a research script over its parameters and collect one trustworthy table.

    \b
    packhorse run sim.py --n 100
    packhorse map 'python sim.py --n {n} --seed {seed}' n=10,20,50 --replicates 100
    packhorse run study.yaml
    """
