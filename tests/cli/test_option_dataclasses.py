"""Options are the settings of frozen dataclasses: the same field, in Python and in the shell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_type_hints

import click
import pytest
from click.testing import CliRunner

import labelmass.cli
from labelmass._ranges import COUNT, SHARE
from labelmass._settings import REQUIRED, check_settings, setting, settings_of
from labelmass._types import Normalisation
from labelmass.answers.search import Budget
from labelmass.cli import cli, walk
from labelmass.cli.declare import Command, as_command
from labelmass.errors import FitError, LabelMassError
from labelmass.training.settings import Settings
from labelmass.workflows.tuning import ThresholdObjective

FOLDER = Path(labelmass.cli.__file__).parent
COMMANDS = [one for _, one in walk(cli) if not isinstance(one, click.Group)]


def parsed(text: str) -> frozenset[str]:
    if "!" in text:
        raise LabelMassError("no exclamation, please")
    return frozenset(text.split("+"))


@dataclass(frozen=True, kw_only=True)
class Shown:
    section: ClassVar[str] = "What is shown"

    words: tuple[str, ...] = setting((), "Words to show.", "--word", "-w")
    loud: bool = setting(False, "Shout.")
    colour: bool | None = setting(None, "In colour or not.", "--colour/--grey")
    untold: int = 7


@dataclass(frozen=True, kw_only=True)
class Counted:
    count: int = setting(3, "Times.", within=COUNT)
    share: float | None = setting(None, "Part of it.", within=SHARE, metavar="PART")
    kind: Literal["one", "two"] = setting("one", "Kind.")
    form: Normalisation = setting(Normalisation.RAW, "Form.")
    both: frozenset[str] | None = setting(None, "Joined by +.", parse=parsed)
    name: str = setting(REQUIRED, "Name.")

    def __post_init__(self) -> None:
        check_settings(self, FitError)


given: list[tuple[str, Shown, Counted]] = []


@as_command("tried")
@click.argument("source")
def tried(source: str, shown: Shown, numbers_and_more: Counted) -> None:
    """Try it."""
    given.append((source, shown, numbers_and_more))


def call(*words: str) -> Any:
    given.clear()
    done = CliRunner().invoke(tried, ["x", *words])
    return given[0] if given else done.output


def test_a_command_is_handed_its_dataclasses() -> None:
    assert call("--name", "n") == ("x", Shown(), Counted(name="n"))
    words = ("-w", "a", "--word", "b", "--loud", "--grey", "--name", "n", "--count", "4")
    words += ("--share", "0.5", "--kind", "two", "--form", "masked", "--both", "p+q")
    _, shown, numbers = call(*words)
    assert shown == Shown(words=("a", "b"), loud=True, colour=False)
    assert numbers == Counted(
        name="n", count=4, share=0.5, kind="two", form=Normalisation.MASKED, both=frozenset("pq")
    )
    assert isinstance(numbers.form, Normalisation)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing option '--name'"),
        (("--name", "n", "--count", "0"), "Invalid value for '--count'"),
        (("--name", "n", "--share", "nan"), "Invalid value for '--share'"),
        (("--name", "n", "--kind", "three"), "Invalid value for '--kind'"),
        (("--name", "n", "--both", "a!"), "Invalid value for '--both': no exclamation, please"),
        (("--name", "n", "--untold", "1"), "No such option"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_option(words: tuple[str, ...], said: str) -> None:
    assert said in call(*words)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"count": 0}, "count is 0: a whole number of at least 1"),
        ({"count": True}, "count is True"),
        ({"share": 2.0}, "share is 2.0: a number of at least 0 and at most 1"),
        ({"kind": "three"}, "kind is 'three': one or two"),
        ({"form": "three"}, "form is 'three': raw or on-format or masked"),
        ({"kind": None}, "kind is None"),
    ],
)
def test_python_is_refused_the_same(value: dict[str, Any], said: str) -> None:
    with pytest.raises(FitError, match=said):
        Counted(name="n", **value)
    assert Counted(name="n", share=None).share is None


def test_help_has_a_section_a_dataclass_and_what_is_required_first() -> None:
    shown = CliRunner().invoke(tried, ["--help"]).output
    titles = [line[:-1] for line in shown.splitlines() if line.endswith(":")]
    assert titles == ["What is shown", "Numbers and more", "Other options"]
    assert shown.index("--name") < shown.index("--count") < shown.index("--share PART")
    assert "[default: raw]" in shown and "[default: 3; x>=1]" in shown and "x<=9" not in shown


def test_every_option_is_a_setting() -> None:
    for command in COMMANDS:
        options = [one for one in command.params if isinstance(one, click.Option)]
        assert isinstance(command, Command)
        of_settings = [one for some in command.sections.values() for one in some]
        others = {one.opts[0] for one in options if one not in of_settings}
        assert others == ({"--options"} if options else set())
        assert all(one.help and one.help[-1] in ".`" for one in options)


def test_what_the_library_takes_is_what_its_commands_take() -> None:
    """Budget, objective and training settings are checked and offered by one declaration."""
    for kind in (Budget, Settings, ThresholdObjective):
        names = {one.name for one in settings_of(kind)}
        assert {one.name for one in fields(kind)} - names <= {"seed"}
    flags = {one.name: one for one in next(c for c in COMMANDS if c.name == "score").params}
    for one in settings_of(Budget):
        assert flags[one.name].default == one.default


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.name}: {node.name}", node


def test_no_options_travel_as_a_dictionary() -> None:
    for name, function in functions():
        arguments = function.args
        for one in (*arguments.args, *arguments.kwonlyargs):
            hint = "" if one.annotation is None else ast.unparse(one.annotation)
            assert "dict[str, Any]" not in hint or one.arg in ("rows", "records"), (name, one.arg)
    commands = {
        name: node
        for name, node in functions()
        if any("as_command" in ast.unparse(one) for one in node.decorator_list)
    }
    assert len(commands) >= 15
    assert not [name for name, node in commands.items() if node.args.kwarg is not None]


def test_options_are_frozen() -> None:
    kinds = {
        kind
        for command in COMMANDS
        for kind in get_type_hints(getattr(command.callback, "__wrapped__")).values()  # noqa: B009
        if is_dataclass(kind)
    }
    assert len(kinds) > 20
    assert all(kind.__dataclass_params__.frozen for kind in kinds)  # type: ignore[union-attr]
