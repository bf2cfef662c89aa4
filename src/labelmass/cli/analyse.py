"""`labelmass analyse`: how a model goes about writing several labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from labelmass.cli.options import load_model, model_options, warn_of_changes


@click.command("analyse")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(exists=True))
@click.option(
    "--gold-field",
    "gold",
    default="labels",
    show_default=True,
    metavar="FIELD",
    help="Holds gold labels.",
)
@click.option("--json", "as_json", is_flag=True, help="Every number as JSON, instead of tables.")
@click.option("--markdown", is_flag=True, help="One table as Markdown, instead of tables.")
@click.option(
    "--figures", type=click.Path(file_okay=False), metavar="DIR", help="Figures, SVG and PNG."
)
@click.option(
    "--attention", is_flag=True, help="Also where the model looks; it reads its answers again."
)
@model_options
def command(
    runs: tuple[str, ...],
    gold: str,
    as_json: bool,
    markdown: bool,
    figures: str | None,
    attention: bool,
    **options: Any,
) -> None:
    """Spikiness, stopping, ranking and order of labels, from saved trees, a column a run.

    RUN is a folder that --keep-trees or `labelmass compare` wrote, or a folder of such folders.
    No model is needed, but for --attention.

    \b
    Examples:
      labelmass analyse trees/
      labelmass analyse base/ instruct/ --figures figures/
      labelmass analyse run-0.0 run-0.2 run-0.4 --markdown > sweep.md
      labelmass analyse trees/ --attention --model smollm2
    """
    from rich.console import Console

    from labelmass.analysis import demo_sweep, plain, table
    from labelmass.workflows.analysis import analyse

    if as_json and markdown:
        raise click.UsageError("--json and --markdown are two formats: choose one")
    for folder in runs:
        warn_of_changes(folder)
    model = None
    if attention:
        model = load_model(options["model"], options["device"], options["dtype"])
    found = analyse(runs, gold, model)
    columns = {one.name: one.diagnosis for one in found}
    if as_json:
        sweep = plain(demo_sweep(columns))
        whole = {"runs": [one.to_dict() for one in found], "demo_sweep": sweep}
        click.echo(json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1))
    elif markdown:
        click.echo(table.markdown(columns), nl=False)
    else:
        console = Console()
        for one in table.rich_tables(columns, console.width):
            console.print(one)
    for one in found:
        for note in one.notes():
            click.echo(f"{one.name}: {note}", err=True)
    if figures is not None:
        from labelmass.analysis.figures import save_figures

        for path in save_figures(columns, Path(figures)):
            click.echo(f"saved {path}", err=True)
