"""An evaluation as text: CSV, Markdown, LaTeX, and a table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labelmass.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from rich.table import Table

    from labelmass.evaluation.results import Evaluation, MethodScores

COLUMNS: tuple[str, ...] = (
    "method",
    "metric",
    "label",
    "value",
    "low",
    "high",
    "best",
    "worst",
    "items",
    "cells",
    "partial",
    "failed",
    "missed",
    "draws",
    "baseline",
    "difference",
    "difference_low",
    "difference_high",
    "difference_p",
)
"""Of the CSV; empty where something is not defined."""


def csv_text(evaluation: Evaluation) -> str:
    """Full precision, one line a method, metric and label."""
    text = io.StringIO()
    lines = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    lines.writeheader()
    for row in evaluation.methods.values():
        for metric, score in row.scores.items():
            line = {name: getattr(score, name) for name in COLUMNS if hasattr(score, name)}
            line |= {
                "method": row.name,
                "metric": metric,
                "failed": row.failed,
                "missed": row.missed,
            }
            if (difference := row.differences.get(metric)) is not None:
                line |= {"baseline": evaluation.baseline, "difference": difference.value}
                for name in ("low", "high", "p"):
                    line[f"difference_{name}"] = getattr(difference, name)
            lines.writerow(line)
            for label, value in score.labels.items():
                lines.writerow(
                    {"method": row.name, "metric": metric, "label": label, "value": value}
                )
    return text.getvalue()


def markdown(evaluation: Evaluation, metrics: Sequence[str]) -> str:
    """A pipe table; the interval stands beside each value."""
    best = _best(evaluation, metrics)
    head = ["method", "records", *(f"{name} {_arrow(name)}".strip() for name in metrics)]
    lines = [_pipes(head), _pipes(["---", *["---:"] * (len(head) - 1)])]
    for row in evaluation.methods.values():
        cells = [_shown(row, name, interval=True) for name in metrics]
        cells = [
            f"**{cell}**" if row.name in best[name] else cell
            for name, cell in zip(metrics, cells, strict=True)
        ]
        lines.append(_pipes([row.name.replace("|", "\\|"), str(row.items), *cells]))
    return "\n".join([*lines, "", *(f"- {rule}" for rule in _remarks(evaluation))]) + "\n"


def latex(evaluation: Evaluation, metrics: Sequence[str]) -> str:
    """booktabs; the rules stand above as comments."""
    best = _best(evaluation, metrics)
    arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$", "": ""}
    names = [f"{_escape(name)} {arrows[_arrow(name)]}".strip() for name in metrics]
    lines = [f"% {rule}" for rule in _remarks(evaluation)]
    lines += [rf"\begin{{tabular}}{{l{'r' * len(metrics)}}}", r"\toprule"]
    lines += [" & ".join(["method", *names]) + r" \\", r"\midrule"]
    for row in evaluation.methods.values():
        cells = [_shown(row, name) for name in metrics]
        cells = [
            rf"\textbf{{{cell}}}" if row.name in best[name] else cell
            for name, cell in zip(metrics, cells, strict=True)
        ]
        lines.append(" & ".join([_escape(row.name), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def rich_table(evaluation: Evaluation, metrics: Sequence[str] | None = None) -> Table:
    """The headline metrics in less than 100 columns; + and - say better and worse for sure."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    metrics = metrics or evaluation.headline
    best = _best(evaluation, metrics)
    caption = f"{evaluation.items} records, {evaluation.draws} bootstrap draws"
    if evaluation.baseline is not None:
        caption += f"; + better, - worse than {evaluation.baseline}: the interval excludes 0"
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", padding=0)
    table.add_column("method", overflow="fold", max_width=21)
    counts = [name for name in ("failed", "missed") if _any(evaluation, name)]
    for name in counts:
        table.add_column(name, justify="right")
    for name in metrics:
        table.add_column(name, justify="right")
    for row in evaluation.methods.values():
        cells = [Text(row.name), *(Text(str(getattr(row, name))) for name in counts)]
        for name in metrics:
            style = "bold" if row.name in best[name] else ""
            cells.append(Text(_shown(row, name) + _sign(row, name), style))
        table.add_row(*cells)
    return table


def _any(evaluation: Evaluation, count: str) -> bool:
    return any(getattr(row, count) for row in evaluation.methods.values())


def _best(evaluation: Evaluation, metrics: Sequence[str]) -> dict[str, set[str]]:
    """The methods whose value is the best of the column."""
    best: dict[str, set[str]] = {}
    for name in metrics:
        better = METRICS[name].better
        found = {
            row.name: row.scores[name].value
            for row in evaluation.methods.values()
            if row.scores[name].value is not None
        }
        values = [value for value in found.values() if value is not None]
        if better is None or not values:
            best[name] = set()
            continue
        top = min(values) if better == "lower" else max(values)
        best[name] = {method for method, value in found.items() if value == top}
    return best


def _shown(row: MethodScores, metric: str, *, interval: bool = False) -> str:
    score = row.scores[metric]
    if score.value is None:
        return "n/a"
    text = _number(score.value)
    if interval and score.low is not None and score.high is not None:
        text += f" [{_number(score.low)}, {_number(score.high)}]"
    return text


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _sign(row: MethodScores, metric: str) -> str:
    """+ where the method is better than the baseline beyond its interval, - where it is worse."""
    difference, better = row.differences.get(metric), METRICS[metric].better
    if difference is None or difference.low is None or better is None or not difference.sure:
        return " "
    return "+" if (difference.low > 0) == (better == "higher") else "-"


def _arrow(metric: str) -> str:
    return {"higher": "↑", "lower": "↓", None: ""}[METRICS[metric].better]


def _remarks(evaluation: Evaluation) -> list[str]:
    remarks = [f"{name}: {rule}" for name, rule in evaluation.rules.items()]
    for row in evaluation.methods.values():
        if row.failed:
            remarks.append(f"{row.name}: {row.failed} of {evaluation.items} records failed")
        if row.missed:
            remarks.append(
                f"{row.name}: {row.missed} of {row.items} records missed the tolerance of their run"
            )
        if row.note:
            remarks.append(f"{row.name}: {row.note}")
    return remarks


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    """For LaTeX."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {one: f"\\{one}" for one in "&%$#_{}"}
    return "".join(special.get(one, one) for one in text)
