"""The command line. Each command is a small module, imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import click

from labelmass.cli.exits import Exit
from labelmass.cli.options_file import add_options_file
from labelmass.errors import LabelMassError

Callback = Callable[[click.Context, click.Parameter, Any], Any]

SECTIONS = {
    "Score and judge": {
        "score": "Probabilities with bounds for every label of every record.",
        "compare": "All methods side by side, judged by human labels.",
        "evaluate": "Judgement of score files, ours or another system's, by human labels.",
        "analyse": "Analysis of how a model writes several labels, from saved trees.",
        "explain": "The tree of answers behind one text's probabilities.",
        "report": "A run as one HTML page.",
    },
    "Calibrate and decide": {
        "calibrate": "Fit a map from scores to human labels.",
        "tune": "Fit thresholds for a goal, with a guarantee, as a policy file.",
        "decide": "Apply a policy to scores.",
        "drift": "Compare new scores with those that a policy was made on.",
    },
    "Serve": {
        "serve": "The scorer over HTTP, behind the wires of other services.",
    },
    "Train and fit": {
        "train": "Train a model to write a task's answers.",
        "fit": "Fit an encoder, a probe or a rule.",
    },
    "Look up and prepare": {
        "data": "Import, split and list the sources of data.",
        "list": "List tasks, methods and models.",
        "new": "Write a task file to begin with, or make an API key.",
        "show": "Show a task, the exact prompt, or a completion script.",
        "doctor": "Check the installation, and say how to mend it.",
    },
}
"""Commands by section of the help. Any other first word of a command line is an option."""

COMMANDS = {name: about for section in SECTIONS.values() for name, about in section.items()}


_MODULES = {"list": "lists"}
"""Modules not called as their command is: one called `list` would hide the type here."""


class Commands(click.Group):
    """A group that knows its commands' names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


@cache
def _command(name: str) -> click.Command:
    module = importlib.import_module(f"labelmass.cli.{_MODULES.get(name, name)}")
    command: click.Command = module.command
    for _, one in walk(command, (name,)):
        add_options_file(one)
        for param in one.params:
            param.callback = _not_empty(param.callback)
    return command


def walk(
    command: click.Command, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command below, itself too, with the words that call it; groups among them."""
    results = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            results += walk(below, (*path, name))
    return results


def _not_empty(further: Callback | None) -> Callback:
    """No name, path or text may be empty: an empty path, say, would be the working folder."""

    def check(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if value == "" or (isinstance(value, tuple) and "" in value):
            raise click.BadParameter("it is empty.", ctx, param)
        return value if further is None else further(ctx, param, value)

    return check


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labelmass")
def cli() -> None:
    """Trustworthy multi-label classification with generative language models.

    \b
    Example:
      labelmass score texts.jsonl --task emotions --out scores.jsonl
    """


def main() -> None:
    """Run the command line; what goes wrong on purpose is one line on stderr and an `Exit`."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; run the same command again to go on", err=True)
        sys.exit(Exit.STOPPED)
    except BrokenPipeError:
        sys.exit(Exit.CLOSED_PIPE)
    except (LabelMassError, OSError) as error:
        click.echo(f"labelmass: {error}", err=True)
        sys.exit(Exit.FAILED)
