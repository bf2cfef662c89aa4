"""`--options FILE`: the options of a command, from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import cast

import click


def add_options_file(command: click.Command) -> None:
    """Let a command read its options from a file; one without options stays as it is."""
    if any(isinstance(param, click.Option) for param in command.params):
        command.params.append(
            click.Option(
                ["--options"],
                type=click.Path(exists=True, dir_okay=False),
                metavar="FILE",
                is_eager=True,
                expose_value=False,
                callback=_read,
                help="TOML file of options by name, `tolerance = 0.05`; the command line wins.",
            )
        )


def _read(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    if path is None:
        return
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} is no TOML: {error}", ctx, param) from None
    names = _names(ctx.command, param)
    values: dict[str, object] = {}
    for key, value in table.items():
        if key not in names:
            near = get_close_matches(key, names, 1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise click.BadParameter(f"{path}: no option is called {key!r}{hint}", ctx, param)
        option, turned = names[key]
        if (wanted := _misfit(option, value)) is not None:
            raise click.BadParameter(f"{path}: {key} is {value!r}, not {wanted}", ctx, param)
        assert option.name is not None
        values[option.name] = (not value) if turned else value
    ctx.default_map = {**(ctx.default_map or {}), **values}


def _names(command: click.Command, own: click.Parameter) -> Mapping[str, tuple[click.Option, bool]]:
    """Options by name without dashes, each with whether that name turns it off."""
    results: dict[str, tuple[click.Option, bool]] = {}
    for option in command.params:
        if isinstance(option, click.Option) and option is not own:
            for turned, flags in ((False, option.opts), (True, option.secondary_opts)):
                results |= {flag[2:]: (option, turned) for flag in flags if flag.startswith("--")}
    return results


def _misfit(option: click.Option, value: object) -> str | None:
    """Type an option takes if the TOML value is of another, else None; ranges are checked later."""
    if option.multiple:
        if not isinstance(value, list) or not value:
            return "a list"
        kinds = {_of_one(option, one) for one in cast("list[object]", value)}
        return next((f"a list, each {kind}" for kind in kinds if kind is not None), None)
    return _of_one(option, value)


def _of_one(option: click.Option, value: object) -> str | None:
    if option.is_flag:
        return None if isinstance(value, bool) else "true or false"
    if isinstance(option.type, click.types.IntParamType):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole else "a whole number"
    if isinstance(option.type, click.types.FloatParamType):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if number else "a number"
    return None if isinstance(value, str) else "a text in quotes"
