"""`labelmass analyse`: how a model goes about writing several labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from labelmass._settings import setting
from labelmass.cli.declare import as_command
from labelmass.cli.models import load_model, warn_of_changes
from labelmass.cli.options import LocalModelOptions, gold_field_setting
from labelmass.cli.progress import say
from labelmass.workflows.analysis import analyse


@dataclass(frozen=True, kw_only=True)
class Analysis:
    gold_field: str = gold_field_setting()
    attention: bool = setting(False, "Also measure attention; the model reads its answers again.")


@dataclass(frozen=True, kw_only=True)
class Output:
    section: ClassVar[str] = "Output"

    json: bool = setting(False, "Print JSON.")
    markdown: bool = setting(False, "Print one Markdown table.")
    figures: str | None = setting(None, "Folder for the figures, SVG and PNG.", path="new folder")


@as_command("analyse")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(exists=True))
def command(
    runs: tuple[str, ...], analysis: Analysis, model: LocalModelOptions, output: Output
) -> None:
    """Spikiness, stopping, ranking and order of labels, from saved trees, a column a run.

    RUN is a folder that --keep-trees or `labelmass compare` wrote, or a folder of such folders.
    No model is needed, except for --attention.

    \b
    Examples:
      labelmass analyse trees/
      labelmass analyse base/ instruct/ --figures figures/
      labelmass analyse run-0.0 run-0.2 run-0.4 --markdown > sweep.md
      labelmass analyse trees/ --attention --model smollm2
    """
    from rich.console import Console

    from labelmass.analysis import demo_sweep, plain, table
    from labelmass.present.writing import markdown

    if output.json and output.markdown:
        raise click.UsageError("--json and --markdown are two formats: choose one")
    for folder in runs:
        warn_of_changes(folder)
    loaded = load_model(model.model, model) if analysis.attention else None
    result = analyse(runs, analysis.gold_field, loaded)
    columns = {one.name: one.diagnosis for one in result}
    if output.json:
        sweep = plain(demo_sweep(columns))
        whole = {"runs": [one.to_dict() for one in result], "demo_sweep": sweep}
        click.echo(json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1))
    elif output.markdown:
        click.echo(markdown(table.side_by_side(columns)), nl=False)
    else:
        Console().print(table.side_by_side(columns))
    for one in result:
        for note in one.notes():
            say(f"{one.name}: {note}")
    if output.figures is not None:
        from labelmass.analysis.figures import save_figures

        for path in save_figures(columns, Path(output.figures)):
            say(f"saved {path}")
