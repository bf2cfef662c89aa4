"""The command line. Each command is a small module, imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache
from keyword import iskeyword
from typing import Any

import click

from labelmass.errors import LabelMassError

Callback = Callable[[click.Context, click.Parameter, Any], Any]

COMMANDS = {
    "score": "Probabilities with bounds for every label of every record.",
    "compare": "All methods side by side, judged by what people said.",
    "evaluate": "Judge score files, ours or another system's, by what people said.",
    "calibrate": "Fit the map from scores to what people say.",
    "tune": "Thresholds for a goal, with a promise, as a policy file.",
    "decide": "Apply a policy to scores.",
    "drift": "Compare new scores with those a policy was made on.",
    "diagnose": "How a model goes about writing several labels, from saved trees.",
    "report": "A run as one HTML page that a person opens.",
    "train": "Teach a model to write a task's answers, as people gave them.",
    "encoder": "Fit a classifier of texts, the row to compare with.",
    "probe": "Fit a classifier on a model's hidden states, and study what they know.",
    "select": "Fit the threshold of an uncertainty rule on saved trees.",
    "explain": "Draw the tree of answers behind one text's probabilities.",
    "prompt": "Print exactly what a model reads for each record.",
    "import": "Turn the files of a public dataset into records.",
    "split": "Split records into parts, near duplicates kept together.",
    "sources": "List the public datasets that can be imported.",
    "tasks": "List the tasks that come with labelmass, or show one.",
    "methods": "List the methods, with their sources and costs.",
    "models": "List the models that need no download, and what else can be named.",
}


class Commands(click.Group):
    """A group that knows its commands' names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@cache
def _command(name: str) -> click.Command:
    module = f"{name}_" if iskeyword(name) else name
    command: click.Command = importlib.import_module(f"labelmass.cli.{module}").command
    for param in command.params:
        param.callback = _not_empty(param.callback)
    return command


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
    """Run the command line; what goes wrong on purpose is one line on stderr and exit code 1."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; run the same command again to go on", err=True)
        sys.exit(130)
    except LabelMassError as error:
        click.echo(f"labelmass: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        click.echo(f"labelmass: {error}", err=True)
        sys.exit(1)
