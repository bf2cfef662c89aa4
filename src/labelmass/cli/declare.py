"""Commands whose options are the settings of frozen dataclasses.

    @as_command("score")
    @click.argument("source", metavar="INPUT")
    def command(source: str, model: ModelOptions, budget: Budget) -> None: ...

Every parameter annotated with a dataclass becomes a section of the help, with an option a setting,
and is handed an instance. Its title is the class's `section`, or else the parameter's name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from functools import wraps
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import click

from labelmass._settings import REQUIRED, Declared, settings_of
from labelmass.cli.numbers import number
from labelmass.errors import LabelMassError

PATHS = {
    "file": click.Path(exists=True, dir_okay=False),
    "folder": click.Path(exists=True, file_okay=False),
    "new file": click.Path(dir_okay=False),
    "new folder": click.Path(file_okay=False),
}
METAVARS = {"file": "FILE", "folder": "DIR", "new file": "FILE", "new folder": "DIR"}


class Command(click.Command):
    """A command whose help shows options in sections."""

    def __init__(self, *args: Any, sections: dict[str, list[click.Option]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        mine = {id(option) for options in self.sections.values() for option in options}
        others = [
            get_param
            for get_param in self.get_params(ctx)
            if isinstance(get_param, click.Option) and id(get_param) not in mine
        ]
        for title, options in {**self.sections, "Other options": others}.items():
            records = [one.get_help_record(ctx) for one in options]
            if rows := [row for row in records if row is not None]:
                with formatter.section(title):
                    formatter.write_dl(rows)


def as_command(
    name: str, group: click.Group | None = None
) -> Callable[[Callable[..., None]], Command]:
    """A decorator that makes a command of a function, see the top of this file.

    group: what the command belongs to.
    """

    def decorate(function: Callable[..., None]) -> Command:
        hints: dict[str, type] = get_type_hints(function)
        kinds = {param: hints[param] for param in hints if is_dataclass(hints[param])}
        made: dict[str, dict[str, click.Option]] = {}
        sections = defaultdict[str, list[click.Option]](list)
        for param, kind in kinds.items():
            made[param] = {one.name: option_of(one) for one in settings_of(kind)}
            title = getattr(kind, "section", param.replace("_", " ").capitalize())
            sections[title] += sorted(made[param].values(), key=lambda option: not option.required)

        @wraps(function)
        def run(**values: Any) -> None:
            for param, kind in kinds.items():
                options = made[param].items()
                values[param] = kind(**{key: values.pop(str(one.name)) for key, one in options})
            function(**values)

        command = click.command(name, cls=Command, sections=dict(sections))(run)
        command.params += [option for options in sections.values() for option in options]
        if group is not None:
            group.add_command(command)
        return command

    return decorate


def option_of(one: Declared) -> click.Option:
    """The option of a setting."""
    said, kind = one.setting, one.kind
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not type(None))
    several = get_origin(kind) is tuple
    attributes: dict[str, Any] = {"help": said.help, "metavar": said.metavar, "multiple": several}
    if one.default is REQUIRED:
        attributes["required"] = True
    else:
        attributes["default"] = str(one.default) if one.choices and one.default else one.default
    if said.complete is not None:
        attributes["shell_complete"] = said.complete
    attributes["show_default"] = one.default not in (REQUIRED, None, False, ())
    if kind is bool:
        attributes["is_flag"] = True
    elif one.choices:
        attributes["type"] = click.Choice(one.choices)
    elif said.within is not None:
        attributes["type"] = number(said.within)
    elif said.path is not None:
        attributes["type"] = PATHS[said.path]
        attributes["metavar"] = said.metavar or METAVARS[said.path]
    else:
        attributes["type"] = get_args(kind)[0] if several else kind
    if isinstance(kind, type) and issubclass(kind, Enum):
        attributes["callback"] = parsed_by(kind)
    elif said.parse is not None:
        attributes["callback"] = parsed_by(said.parse)
        if attributes.get("type") not in (str, *PATHS.values()):
            attributes["type"] = str
    return click.Option(flags_of(one), **attributes)


def flags_of(one: Declared) -> tuple[str, ...]:
    """Names of an option on the command line, the long name first."""
    return one.setting.flags or (f"--{one.name.replace('_', '-')}",)


def parsed_by(parse: Callable[[Any], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that turns what was given into the value."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        try:
            return parse(value)
        except LabelMassError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return callback
