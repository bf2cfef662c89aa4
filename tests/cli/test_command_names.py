"""The words of the command line: where they stand, and that each means one thing."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from helpers.commands import run
from labelmass.cli import COMMANDS, cli, walk
from labelmass.cli.exits import ABOUT, Exit

DOCS = Path(__file__).parents[2] / "docs"
LEAVES = {" ".join(words): one for words, one in walk(cli) if not isinstance(one, click.Group)}
VERBS = {
    *("score", "compare", "evaluate", "analyse", "calibrate", "tune", "decide", "drift"),
    *("explain", "report", "train", "doctor", "serve"),
}
GROUPS = {
    "fit": {"encoder", "probe", "rule"},
    "data": {"import", "split", "sources"},
    "list": {"tasks", "guards", "methods", "models"},
    "new": {"key", "task"},
    "show": {"task", "prompt", "completions"},
}

MAY_REPEAT = {"--model"}
"""Options that some commands take once and others several times."""


def uses() -> dict[str, dict[str, click.Option]]:
    """By long option, the commands that have it."""
    found: dict[str, dict[str, click.Option]] = defaultdict(dict)
    for name, command in LEAVES.items():
        for param in command.params:
            if isinstance(param, click.Option):
                for flag in (*param.opts, *param.secondary_opts):
                    if flag.startswith("--"):
                        found[flag][name] = param
    return found


USES = uses()


def test_the_words_are_those_of_the_grammar() -> None:
    assert set(COMMANDS) == VERBS | set(GROUPS)
    below = {f"{group} {word}" for group, words in GROUPS.items() for word in words}
    assert set(LEAVES) == VERBS | below


@pytest.mark.parametrize("flag", sorted(USES))
def test_an_option_is_of_one_kind(flag: str) -> None:
    options = USES[flag].values()
    assert len({type(one.type) for one in options}) == 1
    assert len({one.is_flag for one in options}) == 1
    assert len({one.multiple for one in options}) == 1 or flag in MAY_REPEAT


def test_words_that_once_meant_two_things() -> None:
    def every(flag: str, **wanted: object) -> None:
        for name, one in USES[flag].items():
            assert {key: getattr(one, key) for key in wanted} == wanted, (flag, name)

    every("--method", multiple=True)
    every("--json", is_flag=True)
    every("--strict", is_flag=True)
    for flag in ("--calibrator", "--rule", "--policy"):
        for one in USES[flag].values():
            assert isinstance(one.type, click.Path) and not one.type.dir_okay
    for one in USES["--strict"].values():
        assert f"Exit with {Exit.FELL_SHORT:d}" in str(one.help)
    for flag in ("--gold", "--calibration-method"):
        assert len({tuple(one.type.choices) for one in USES[flag].values()}) == 1  # type: ignore[attr-defined]


def test_methods_are_named_apart_or_together() -> None:
    command = LEAVES["score"]
    above = click.Context(
        cli, **cli.context_settings
    )  # a command keeps the help option it is given
    for given in (["--method", "hard", "--method", "unary"], ["--method", "hard,unary"]):
        context = command.make_context("score", ["x.jsonl", *given], parent=above)
        assert list(context.params["method"]) == ["hard", "unary"]


def test_the_documentation_has_the_exit_statuses() -> None:
    table = re.findall(r"^\| (\d+) \| (.*) \|$", (DOCS / "commands.md").read_text(), re.M)
    assert table == [(str(status.value), about) for status, about in ABOUT.items()]
    assert set(ABOUT) == set(Exit)


def test_no_page_names_a_command_that_is_none() -> None:
    pages = [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
    named = {
        tuple(words.split())
        for page in pages
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.DOTALL)
        for words in re.findall(r"^ *labelmass ([a-z]+(?: [a-z]+)?)\b", block, re.M)
    }
    assert len(named) > 15
    for first, *second in named:
        assert first in VERBS or GROUPS[first] >= set(second), (first, second)


def commands_of(page: Path) -> Iterator[list[str]]:
    """The words of every command of ours in a page's blocks, those in loops too."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.DOTALL):
        words = shlex.shlex(block.replace("\\\n", " "), posix=True, punctuation_chars="|;&>")
        words.whitespace, words.commenters, words.wordchars = (
            " \t",
            "",
            words.wordchars + "{}[]$,:@",
        )
        line: list[str] = []
        for word in [*words, "\n"]:
            if word == "\n" or set(word) <= set("|;&>#"):
                if "labelmass" in line[:-1]:
                    yield line[line.index("labelmass") + 1 :]
                line = []
            else:
                line.append(word)


@pytest.mark.parametrize("page", [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))])
def test_every_option_in_the_documentation_is_one_of_its_command(page: Path) -> None:
    for words in commands_of(page):
        name = " ".join(words[:2]) if words[0] in GROUPS else words[0]
        known = {
            flag for param in LEAVES[name].params for flag in (*param.opts, *param.secondary_opts)
        }
        given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= known, (name, given - known)


@pytest.mark.parametrize(
    "old", ["diagnose", "encoder", "probe", "select", "import", "tasks", "methods", "prompt"]
)
def test_former_words_are_no_commands(old: str) -> None:
    assert f"No such command '{old}'" in run(old, code=2).stderr


def test_choices_are_those_of_the_registries() -> None:
    from labelmass._types import Normalisation
    from labelmass.calibration.registry import CALIBRATORS
    from labelmass.decisions import UNMET
    from labelmass.estimators.selection import RULES
    from labelmass.targets import GOLD
    from labelmass.task.labels import LABEL_PERMUTATIONS

    registries = {
        "--calibration-method": {*CALIBRATORS, "auto"},
        "--gold": set(GOLD),
        "--label-order": set(LABEL_PERMUTATIONS),
        "--normalise": {one.value for one in Normalisation},
        "--uncertainty": set(RULES),
        "--unmet": set(UNMET),
    }
    for flag, names in registries.items():
        for one in USES[flag].values():
            assert isinstance(one.type, click.Choice) and set(one.type.choices) == names
