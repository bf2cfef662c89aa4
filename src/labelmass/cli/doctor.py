"""`labelmass doctor`: what is installed, what works, and how to mend it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import click

from labelmass._settings import setting
from labelmass.cli import completions
from labelmass.cli.declare import as_command
from labelmass.cli.options import JsonOptions, served_model_setting, tokenizer_setting
from labelmass.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    section: ClassVar[str] = "Checks"

    quick: bool = setting(False, "Import no engine and load no model: say only what is found.")


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    section: ClassVar[str] = "Server"

    tokenizer: str | None = tokenizer_setting()
    served_model: str | None = served_model_setting()
    compare_with: str | None = setting(
        None,
        "Local model with the same weights, to compare the server's numbers with.",
        metavar="MODEL",
        complete=completions.models,
    )


@as_command("doctor")
@click.argument("address", metavar="[URL]", required=False)
def command(
    address: str | None, check: CheckOptions, server: ServerOptions, output: JsonOptions
) -> None:
    """Check the installation: extras, engines, models, threads and the cache; or a server.

    The embedded model is loaded and asked for one token. The exit status is 1 if no language model
    can score here; the last line says why, and the cure.

    With the URL of a server, such as vllm:http://localhost:8000, it is the server that is checked:
    what it returns, whether its tokenizer is the one named, its speed, whether it caches prefixes,
    and how far its numbers are from those of a local model.

    \b
    Examples:
      labelmass doctor
      labelmass doctor --quick --json
      labelmass doctor http://localhost:8000 --tokenizer smollm2 --compare-with smollm2
    """
    from labelmass.workflows.installation import doctor

    if address is None:
        for name, value in vars(server).items():
            if value is not None:
                option = f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{option} is about a server: name its URL")
        report = doctor(quick=check.quick)
    else:
        from labelmass.workflows.server_check import check_server

        report = check_server(address, **vars(server))
    if output.json:
        click.echo(json.dumps(report.to_dict(), ensure_ascii=False, indent=1))
    else:
        click.echo(str(report))
    if report.problem is not None:
        raise ModelError(report.problem)
