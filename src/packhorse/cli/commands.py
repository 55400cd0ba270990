"""The list of commands; each is loaded only when it is called, so that `packhorse` starts at once."""

from __future__ import annotations

import importlib

import click

# name: (module, one line of help). The order is that of a newcomer's first day.
COMMANDS = {
    "run": ("runs.run", "Run a study, or a script once, and bring its results home."),
    "map": ("runs.map", "Run a command over parameters, in one line."),
    "init": ("studies.init", "Write a study for a script."),
    "plan": ("studies.plan", "Say what a study would run, without running it."),
    "try": ("studies.try_task", "Run one task here in the foreground."),
    "status": ("inspect.status", "Say how a run stands."),
    "put": ("sites.put", "Send files and folders to a site."),
    "get": ("sites.get", "Fetch files and folders from a site."),
    "runs": ("inspect.runs", "List the runs here."),
    "logs": ("inspect.logs", "Show what a task printed."),
    "explain": ("inspect.explain", "Say what a task ran, where, with what, and how to repeat it."),
    "collect": ("inspect.collect", "Merge what is finished into the table, also while it runs."),
    "summary": ("inspect.summary", "Summarise the table, with Monte Carlo standard errors."),
    "efficiency": ("inspect.efficiency", "Say what a run asked for and used, and what to ask for next time."),
    "retry": ("runs.retry", "Run failed tasks again."),
    "cancel": ("runs.cancel", "Stop a run; finished tasks are kept."),
    "rerun": ("runs.rerun", "Run finished tasks again and compare bit for bit."),
    "provenance": ("inspect.provenance", "Show what made the results of a run."),
    "connect": ("sites.connect", "Log in to a site once, for all that follows."),
    "shell": ("sites.shell", "Open a shell at a site, on its login node or in a job."),
    "ssh-config": ("sites.ssh_config", "Print what lets other programs ride on the connection."),
    "submit": ("jobs.submit", "Send a job script of your own to a site."),
    "queues": ("jobs.queues", "Say what is free at a site, and where a job starts soonest."),
    "jobs": ("jobs.jobs", "List all your jobs on all your sites."),
    "script": ("jobs.script", "Make a job script for a site, checked before anything is sent."),
    "sites": ("sites.sites", "List the places to run, and say what one has."),
    "modules": ("sites.modules", "List a site's modules, and say what is found with them."),
    "env": ("sites.env", "List the environments that were built on a site, or remove some."),
    "du": ("runs.du", "Say how much space runs take."),
    "rm": ("runs.rm", "Remove a run."),
    "doctor": ("inspect.doctor", "Check this machine and the runs here."),
    "schema": ("studies.schema", "Print the JSON Schema of study files, for editors."),
    "completion": ("completion", "Print the lines that complete commands in your shell."),
}


class Commands(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"packhorse.cli.{COMMANDS[cmd_name][0]}")
        found = getattr(module, cmd_name.replace("-", "_") + "_command")
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command for a word that is none."""
        import difflib

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            if args[0].endswith((".yaml", ".yml", ".py", ".R")):
                hint = f" To run it: packhorse run {args[0]}"
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="packhorse", message="packhorse %(version)s")
def packhorse() -> None:
    """Carry a research script over its parameters and bring one trustworthy table home.

    \b
    packhorse run sim.py --n 100
    packhorse map 'python sim.py --n {n} --seed {seed}' n=10,20,50 --replicates 100
    packhorse run study.yaml
    """
