"""`--options FILE`: the same options, from a file."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from helpers.commands import records, run
from labelmass.cli import cli, walk

HERE = ("score", "texts.jsonl", "--options", "o.toml")
PLAIN = ("score", "texts.jsonl", "-t", "mood.toml")


@pytest.mark.usefixtures("folder")
def test_a_file_is_as_the_command_line_which_wins() -> None:
    Path("o.toml").write_text(
        'task = "mood.toml"\nmethod = ["hard", "any-place"]\nnormalise = "on-format"\n'
        'label-order = "reversed"\ntolerance = 1\ndrop-input = true\nout = "file.jsonl"\n'
    )
    run(*HERE)
    options = ("--method", "hard,any-place", "--normalise", "on-format")
    options += ("--label-order", "reversed", "--tolerance", "1", "--drop-input")
    run(*PLAIN, *options, "--out", "line.jsonl")
    found, wanted = (
        [row | {"cost": None} for row in records(f"{n}.jsonl")] for n in ("file", "line")
    )
    assert found == wanted
    run(*HERE, "--out", "won.jsonl", "--method", "unary")
    assert records("won.jsonl")[0]["signature"]["methods"] == ["unary"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tolerence = 0.1", "no option is called 'tolerence': did you mean 'tolerance'?"),
        ("[prompt]\nseed = 1", "no option is called 'prompt'"),
        ("options = 'o.toml'", "no option is called 'options'"),
        ("tolerance = '0.1'", "tolerance is '0.1', not a number"),
        ("tolerance = -1", "Invalid value for '--tolerance': -1"),
        ("tolerance = nan", "Invalid value for '--tolerance': nan"),
        ("max-nodes = 1.5", "max-nodes is 1.5, not a whole number"),
        ("max-nodes = true", "max-nodes is True, not a whole number"),
        ("method = 'hard'", "method is 'hard', not a list"),
        ("method = [1]", "method is [1], not a list, each a text in quotes"),
        ("strict = 'yes'", "strict is 'yes', not true or false"),
        ("task = 3", "task is 3, not a text in quotes"),
        ("normalise = 'x'", "Invalid value for '--normalise': 'x'"),
        ("out = ''", "Invalid value for '--out': it is empty"),
        ("x", "o.toml is no TOML"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(text: str, said: str) -> None:
    Path("o.toml").write_text(text)
    shown = run(*HERE, "-t", "mood.toml", code=2).stderr
    assert said in " ".join(shown.split())


def test_every_command_that_has_options_takes_a_file() -> None:
    for words, command in walk(cli):
        if isinstance(command, click.Group):
            continue
        flags = {flag for param in command.params for flag in param.opts if flag.startswith("--")}
        assert "--options" in flags or not flags, words
