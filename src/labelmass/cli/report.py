"""`labelmass report`: runs as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument(
    "runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False)
)
@click.option("--out", type=click.Path(dir_okay=False), default="report.html", show_default=True)
@click.option("--method", metavar="NAME", help="Whose figures are drawn. Default: the first.")
@click.option(
    "--figures",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Also each figure as SVG and PNG, and its numbers as JSON.",
)
def command(runs: tuple[str, ...], out: str, method: str | None, figures: str | None) -> None:
    """A page that a person opens: what was asked, how the methods compare, and where they fail.

    RUN is a folder that `labelmass compare` wrote. The page is one file, needs no network and holds
    every number of its figures. No model is needed.

    \b
    Examples:
      labelmass report run
      labelmass report run --method max-over-generations --out report.html --figures figures
      labelmass report run-small run-large --out sizes.html
    """
    from labelmass.report import draw, gather, page, save_figures

    gathered = [gather(run, method) for run in runs]
    drawn = [draw(run) for run in gathered]
    Path(out).write_text(page(gathered, drawn), encoding="utf-8")
    click.echo(f"saved {out}", err=True)
    if figures is None:
        return
    for run, one in zip(gathered, drawn, strict=True):
        folder = Path(figures) / run.name if len(runs) > 1 else Path(figures)
        for path in save_figures(one, folder):
            click.echo(f"saved {path}", err=True)
