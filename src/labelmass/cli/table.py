"""Results as a table that a person reads."""

from __future__ import annotations

from collections.abc import Sequence

from labelmass._types import Normalisation
from labelmass.answers.marginals import Bounds, Marginals
from labelmass.present.tables import Cell, Head, Table
from labelmass.scores import Failure, Outcome, Result
from labelmass.task.questions import ANSWER

MAX_ROWS = 5
"""Labels shown of each record."""

MAX_FULL_METHODS = 2
"""With more methods than these, intervals and the written answer give way to them."""

MISSED = "!"
"""Stands beside numbers of a method that missed the tolerance."""

Row = list[str | Cell]


def result_table(results: Sequence[Outcome], most: int = MAX_ROWS) -> Table:
    """One block a record: its likeliest labels by the run's methods, beside the on-format reading.

    Off-format mass stands in its own column, so that a weak model is seen to be weak. What missed
    the tolerance is marked with MISSED.
    """
    scored = [result for result in results if isinstance(result, Result)]
    methods = list(scored[0].methods) if scored else []
    few = len(methods) <= MAX_FULL_METHODS
    raw = bool(scored) and scored[0].normalisation is Normalisation.RAW
    on_format = raw and few and "any-place" in methods  # else nothing narrows it
    head: list[str | Head] = ["id", Head("label", prose=True)]
    head += [f"{method} {scored[0].normalisation}" if few else method for method in methods]
    head += ["any-place on-format"] if on_format else []
    head += ["off-format"]
    head += [Head("answer the model writes", prose=True)] if few else []
    rows: list[Row] = []
    for result in results:
        rows += (
            [_failed(result)]
            if isinstance(result, Failure)
            else _rows(result, on_format=on_format, few=few, most=most)
        )
    notes = dict.fromkeys(_general(note) for result in scored for note in result.warnings)
    footer = [f"note: {note}" for note in notes]
    if any(result.missed for result in scored):
        footer.append(f"{MISSED} wider than the tolerance of {scored[0].tolerance:g}")
    return Table("", head, rows, [*_errors(results), *footer, *_signature(scored)], pinned=2)


def text_table(results: Sequence[Outcome], most: int = MAX_ROWS) -> Table:
    """One block a record: its likeliest labels by classifiers of texts."""
    scored = [result for result in results if isinstance(result, Result)]
    rows: list[Row] = []
    for result in results:
        if isinstance(result, Failure):
            rows.append(_failed(result))
            continue
        for at, (name, _) in enumerate(result.labels.ranked()[:most]):
            cells = [_cell(scores[name], False) for scores in result.methods.values()]
            rows.append([_id(result, at), name, *cells])
    head = ["id", Head("label", prose=True), *(scored[0].methods if scored else ())]
    return Table("", head, rows, [*_errors(results), *_signature(scored)], pinned=2)


def _failed(result: Failure) -> Row:
    return [str(result.id), Cell("failed", style="red")]


def _errors(results: Sequence[Outcome]) -> list[str]:
    return [f"{result.id}: {result.error}" for result in results if isinstance(result, Failure)]


def _signature(scored: Sequence[Result]) -> list[str]:
    return [str(scored[0].signature)] if scored else []


def _id(result: Result, row: int) -> Cell:
    return Cell(str(result.id) if row == 0 else "", style="bold")


def _rows(result: Result, *, on_format: bool, few: bool, most: int) -> list[Row]:
    given = _given_format(result)
    names: list[str | None] = [name for name, _ in result.labels.ranked()[:most]]
    if any(scores.empty is not None for scores in result.methods.values()):
        names.append(None)
    rows: list[Row] = []
    for at, name in enumerate(names):
        row: Row = [_id(result, at), Cell("empty", style="italic") if name is None else name]
        for method, scores in result.methods.items():
            bounds = scores.empty if name is None else scores[name]
            row.append(_cell(bounds, few, method in result.missed))
        row += [_cell(given.get(name), few)] if on_format else []
        row.append(Cell(_off_format(result) if at == 0 else "", style=_shade(result)))
        if few:
            greedy = result.summary.greedy.strip() if result.summary and at == 0 else ""
            row.append(Cell(greedy, style="dim"))
        rows.append(row)
    return rows


def _given_format(result: Result) -> dict[str | None, Bounds]:
    """On-format probabilities of the labels, and of the empty answer under None."""
    answers = [tree for name, tree in result.trees.items() if name[0] == ANSWER[0]]
    given: dict[str | None, Bounds] = {}
    for tree in answers:
        marginals = Marginals(tree, Normalisation.ON_FORMAT)
        given |= {label: marginals.label(at) for at, label in enumerate(tree.labels)}
        if len(answers) == 1:
            given[None] = marginals.label(tree.empty)
    return given


def _cell(bounds: Bounds | None, spread: bool, missed: bool = False) -> Cell:
    if bounds is None:
        return Cell("")
    mark = MISSED if missed else ""
    if bounds.p is None:
        return Cell("null", verdict=mark, style="dim")
    half = (bounds.width or 0) / 2
    details = [f"±{half:.3f}" if half >= 0.0005 else " " * 6] if spread else []
    style = "bold green" if bounds.p >= 0.5 else "green" * (bounds.p >= 0.1)
    return Cell(f"{bounds.p:.3f}", verdict=mark, details=details, style=style)


def _off_format(result: Result) -> str:
    """Cell for the off-format mass, a lower bound if much mass is unexplored."""
    least = result.unexplored > result.tolerance
    return f"{'≥' if least else ''}{result.off_format:.3f}"


def _shade(result: Result) -> str:
    return "yellow" if result.off_format > 0.5 else ""


def _general(note: str) -> str:
    head, _, tail = note.partition("% of the mass")
    return f"much of the mass{tail}" if tail and head.isdigit() else note
