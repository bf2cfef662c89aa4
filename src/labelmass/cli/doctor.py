"""`labelmass doctor`: what is installed, what works, and how to mend it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import click

from labelmass._settings import setting
from labelmass.cli.declare import as_command
from labelmass.cli.options import JsonOptions
from labelmass.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    section: ClassVar[str] = "Checks"

    quick: bool = setting(False, "Import no engine and load no model: say only what is found.")


@as_command("doctor")
def command(check: CheckOptions, output: JsonOptions) -> None:
    """Check the installation: extras, engines, models, threads and the cache.

    The embedded model is loaded and asked for one token. The exit status is 1 if no language model
    can score here; the last line says why, and the cure.

    \b
    Examples:
      labelmass doctor
      labelmass doctor --quick --json
    """
    from labelmass.workflows.installation import doctor

    installation = doctor(quick=check.quick)
    if output.json:
        click.echo(json.dumps(installation.to_dict(), ensure_ascii=False, indent=1))
    else:
        click.echo(str(installation))
    if installation.problem is not None:
        raise ModelError(installation.problem)
