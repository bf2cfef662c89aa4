"""Every option that takes a number refuses what is none of its own, by the option's name."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from helpers.commands import run
from labelmass.cli import cli, walk
from labelmass.cli.numbers import Real

VALUES = ("nan", "-1", "0", "inf", "-inf", "ten")
ZERO = (
    *("--seed", "--demonstrations", "--draws", "--weight-decay", "--tolerance"),
    *("--multi-share", "--threshold", "--min-mass", "--review-budget", "--review-risk"),
    *("--dev-share", "--dropout", "--warm-up", "--port"),
)
ALLOWED = {"--layer": {"-1", "0"}} | {option: {"0"} for option in ZERO}
"""Of VALUES; for all other options, none."""


def numeric() -> list[tuple[str, click.Parameter]]:
    return [
        (" ".join(words), param)
        for words, command in walk(cli)
        for param in command.params
        if isinstance(param.type, click.types.FloatParamType | click.types.IntParamType)
    ]


OPTIONS = numeric()


def test_options_take_numbers_of_a_range() -> None:
    assert len(OPTIONS) > 50 and set(ALLOWED) <= {param.opts[0] for _, param in OPTIONS}
    for _, param in OPTIONS:
        assert isinstance(param.type, Real | click.IntRange) or param.opts == ["--layer"]


@pytest.mark.parametrize(("command", "param"), OPTIONS, ids=lambda one: getattr(one, "name", one))
def test_what_is_no_such_number_is_refused_by_name(command: str, param: click.Parameter) -> None:
    option = param.opts[0]
    for value in VALUES:
        if value in ALLOWED.get(option, ()):
            with click.Context(click.Command(command)) as context:
                assert param.type_cast_value(context, value) == float(value)
            continue
        # It is the first to be read, so what else is missing is not said.
        found = run(*command.split(), option, value, code=2)
        assert f"Invalid value for '{option}'" in found.stderr
        assert "Traceback" not in found.output


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("part", ["a=nan", "a=inf", "a=-1", "a=0"])
def test_shares_of_a_split(part: str) -> None:
    found = run("data", "split", "texts.jsonl", "--parts", part, "b=1", "--out", "parts", code=1)
    assert "parts are" in str(found.exception) and not Path("parts").exists()
