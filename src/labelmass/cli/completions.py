"""Completion of the words of a command line by a shell, see `labelmass show completions`.

Options whose values are listed in their type, and those that name files, complete by themselves;
here are the names that are looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_LABELMASS_COMPLETE"

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completion_script(shell: str) -> str:
    """The script that makes one of `SHELLS` complete the words of labelmass."""
    from labelmass.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, "labelmass", VARIABLE).source()
    # click's script for fish cuts a value at its first comma: several methods have commas
    return script.replace('string split "," ', 'string split --max 1 "," ')


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of files, as the shell completes them."""
    return [CompletionItem(incomplete, type="file")]


def _names(
    names: Callable[[], Iterable[str]], *, or_files: bool = False, several: bool = False
) -> Complete:
    """Completion by names, which are looked up when a shell asks for them.

    Args:
        or_files: Complete names of files where no name begins so.
        several: Complete the last of several names with commas.
    """

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, word = incomplete.rpartition(",") if several else ("", "", incomplete)
        named = before.split(",")
        matches = [name for name in names() if name.startswith(word) and name not in named]
        if not matches and or_files:
            return files(ctx, param, incomplete)
        return [CompletionItem(f"{before}{comma}{name}") for name in matches]

    return complete


def _tasks() -> Iterable[str]:
    from labelmass.task import presets

    return presets()


def _guards() -> Iterable[str]:
    from labelmass.task.guard import guards

    return [*guards(), "auto"]


def _models() -> Iterable[str]:
    from labelmass.lm.hub_cache import cached_models
    from labelmass.lm.load import MODELS

    return [*MODELS, *cached_models()]


def _methods() -> Iterable[str]:
    from labelmass.estimators import ESTIMATORS

    return ESTIMATORS


def _metrics() -> Iterable[str]:
    from labelmass.evaluation.metrics import METRICS

    return METRICS


def _sources() -> Iterable[str]:
    from labelmass.datasets.sources import SOURCES

    return SOURCES


def _maps() -> Iterable[str]:
    from labelmass.datasets.sources.maps import shipped_maps

    return shipped_maps()


tasks = _names(_tasks, or_files=True)
guards = _names(_guards, or_files=True)
models = _names(_models, or_files=True)
method = _names(_methods)
methods = _names(_methods, several=True)
metrics = _names(_metrics)
sources = _names(_sources)
sources_and_maps = _names(lambda: [*_sources(), *_maps()])
maps = _names(_maps, or_files=True)
devices = _names(lambda: ("cpu", "cuda", "auto"))
features = _names(lambda: ("tfidf", "minilm"), or_files=True)
