"""Results as a table that a person reads."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labelmass._types import Normalisation
from labelmass.answers.readings import Bounds, Readings
from labelmass.scores import Failure, Outcome, Result

MOST = 5
"""Labels shown of each record."""

FEW = 2
"""With more methods than these, intervals and the written answer give way to them."""

MISSED = "!"
"""Stands beside numbers of a method that missed the tolerance."""


def result_table(results: Sequence[Outcome], most: int = MOST) -> RenderableType:
    """One block a record: its likeliest labels by the run's methods, beside the on-format reading.

    Off-format mass stands in its own column, so that a weak model is seen to be weak. What missed
    the tolerance is marked with MISSED.
    """
    scored = [result for result in results if isinstance(result, Result)]
    methods = list(scored[0].methods) if scored else []
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("id", "label"):
        table.add_column(name, overflow="fold")
    few, failed = len(methods) <= FEW, list[RenderableType]()
    for method in methods:
        norm = scored[0].normalisation
        head = f"{method}\n{norm}" if few else method.replace("-", "-\n")
        table.add_column(head, justify="right")
    raw = bool(scored) and scored[0].normalisation is Normalisation.RAW
    beside = raw and few and "any-place" in methods  # else nothing narrows it
    if beside:
        table.add_column("any-place\non-format", justify="right")
    table.add_column("off-format" if few else "off-\nformat", justify="right")
    if few:
        table.add_column("answer the model writes", overflow="fold")
    for result in results:
        if isinstance(result, Failure):
            table.add_row(str(result.id), Text("failed", "red"))
            failed.append(Text(f"{result.id}: {result.error}", "red"))
            continue
        _add(table, result, beside, few, most)
    notes = dict.fromkeys(_general(note) for result in scored for note in result.warnings)
    footer = [Text(f"note: {note}", "yellow") for note in notes]
    if any(result.missed for result in scored):
        tolerance = scored[0].tolerance
        footer.append(Text(f"{MISSED} wider than the tolerance of {tolerance:g}", "yellow"))
    signature = [Text(str(scored[0].signature), "dim")] if scored else []
    return Group(table, *failed, *footer, *signature)


def text_table(results: Sequence[Outcome], most: int = MOST) -> RenderableType:
    """One block a record: its likeliest labels by classifiers of texts."""
    scored = [result for result in results if isinstance(result, Result)]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("id", "label"):
        table.add_column(name, overflow="fold")
    for method in scored[0].methods if scored else ():
        table.add_column(method, justify="right")
    failed: list[RenderableType] = []
    for result in results:
        if isinstance(result, Failure):
            table.add_row(str(result.id), Text("failed", "red"))
            failed.append(Text(f"{result.id}: {result.error}", "red"))
            continue
        names = [name for name, _ in result.labels.ranked()[:most]]
        for row, name in enumerate(names):
            cells = [_cell(scores[name], False) for scores in result.methods.values()]
            head = Text(str(result.id) if row == 0 else "", "bold")
            table.add_row(head, Text(name), *cells, end_section=row == len(names) - 1)
    signature = [Text(str(scored[0].signature), "dim")] if scored else []
    return Group(table, *failed, *signature)


def _add(table: Table, result: Result, beside: bool, few: bool, most: int) -> None:
    on_format = Readings(result.tree, Normalisation.ON_FORMAT)
    names: list[str | None] = [name for name, _ in result.labels.ranked()[:most]]
    if any(scores.empty is not None for scores in result.methods.values()):
        names.append(None)
    for row, name in enumerate(names):
        output = result.tree.none if name is None else result.tree.labels.index(name)
        cells: list[RenderableType] = [Text(str(result.id) if row == 0 else "", "bold")]
        cells.append(Text("none", "italic") if name is None else Text(name))
        for method, scores in result.methods.items():
            bounds = scores.empty if name is None else scores[name]
            cells.append(_cell(bounds, few, method in result.missed))
        if beside:
            cells.append(_cell(on_format.label(output), few))
        cells.append(Text(_off_format(result) if row == 0 else "", _shade(result)))
        if few:
            cells.append(Text(result.tree.greedy_text.strip() if row == 0 else "", "dim"))
        table.add_row(*cells, end_section=row == len(names) - 1)


def _cell(bounds: Bounds | None, spread: bool, missed: bool = False) -> Text:
    if bounds is None:
        return Text("")
    mark = f" {MISSED}" if missed else ""
    if bounds.p is None:
        return Text("null", "dim").append(mark, "yellow")
    text = Text(f"{bounds.p:.3f}", "bold green" if bounds.p >= 0.5 else "green" * (bounds.p >= 0.1))
    if spread:
        half = (bounds.width or 0) / 2
        text.append(f" ±{half:.3f}" if half >= 0.0005 else "       ", "dim")
    return text.append(mark, "yellow")


def _off_format(result: Result) -> str:
    """What was found to leave the format; more may, where much was not looked at."""
    least = result.unexplored > result.tolerance
    return f"{'≥' if least else ''}{result.off_format:.3f}"


def _shade(result: Result) -> str:
    return "yellow" if result.off_format > 0.5 else ""


def _general(note: str) -> str:
    head, _, tail = note.partition("% of the mass")
    return f"much of the mass{tail}" if tail and head.isdigit() else note
