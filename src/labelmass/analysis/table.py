"""Diagnoses side by side: a column a run, rows grouped by analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from labelmass.analysis.answer import Kind
from labelmass.analysis.counts import Share, Spread
from labelmass.analysis.diagnosis import Diagnosis
from labelmass.analysis.stopping import Contrast
from labelmass.present.tables import Cell, Table

Read = Callable[[Diagnosis], object]


def _position(j: int) -> Read:
    return lambda d: d.order_accuracy and d.order_accuracy.all.get(j)


def _paired(d: Diagnosis) -> object:
    result = d.order_accuracy and d.order_accuracy.paired.get(2)
    return result and tuple(result)


def _rank(rank: int) -> Read:
    return lambda d: d.profile.ranks[rank - 1] if len(d.profile.ranks) >= rank else None


def _second(d: Diagnosis) -> object:
    result = d.second_label.positions
    return Share(result[2].hits if 2 in result else 0, sum(share.hits for share in result.values()))


ROWS: Mapping[str, Mapping[str, Read]] = {
    "answers": {
        "records": lambda d: d.records,
        "on-format": lambda d: d.endings.complete,
        "off-format": lambda d: d.endings.off_format,
        "unreadable": lambda d: d.endings.unreadable,
        "empty": lambda d: d.endings.empty,
        "repeating a label": lambda d: d.repeats.again,
        "twice in a row": lambda d: d.repeats.in_a_row,
    },
    "two labels or more": {
        "answers": lambda d: d.multi_label.rate,
        "on-format answers": lambda d: d.multi_label.complete,
        "demonstrations": lambda d: d.multi_label.demonstrations,
        "gold sets": lambda d: d.multi_label.gold,
    },
    "spikiness (gap = ln top/2nd)": {
        "top, intermediate": lambda d: d.spikiness.kinds[Kind.INTERMEDIATE].top,
        "top, last": lambda d: d.spikiness.kinds[Kind.LAST].top,
        "top, `none` written": lambda d: d.spikiness.kinds[Kind.EMPTY].top,
        "gap, intermediate": lambda d: d.spikiness.kinds[Kind.INTERMEDIATE].gap,
        "gap, last": lambda d: d.spikiness.kinds[Kind.LAST].gap,
        "bits, intermediate": lambda d: d.spikiness.kinds[Kind.INTERMEDIATE].entropy,
        "bits, last": lambda d: d.spikiness.kinds[Kind.LAST].entropy,
        "1 - Z, intermediate": lambda d: d.spikiness.kinds[Kind.INTERMEDIATE].non_label_mass,
        "1 - Z, last": lambda d: d.spikiness.kinds[Kind.LAST].non_label_mass,
        "width of p_r": lambda d: d.spikiness.width,
        "wider than 0.1": lambda d: d.spikiness.wide,
    },
    "AUROC for the last step": {
        "top": lambda d: d.stopping.steps["top"],
        "second": lambda d: d.stopping.steps["second"],
        "entropy": lambda d: d.stopping.steps["entropy"],
        "P(stop) at the boundary": lambda d: d.stopping.boundary,
    },
    "P(stop) at the boundary": {
        "intermediate": lambda d: d.stopping.boundary.intermediate,
        "last": lambda d: d.stopping.boundary.last,
        "calibration error": lambda d: d.stopping.error,
    },
    "runner-up of a step": {
        "is the next label": lambda d: d.rank_consistency.hits,
        "... of those not written": lambda d: d.rank_consistency_unwritten.hits,
        "is `none`, left out": lambda d: d.rank_consistency.empty,
        "never predicted": lambda d: d.never_predicted.corrected,
        "... as published": lambda d: d.never_predicted.published,
        "of step 1, written 2nd": _second,
    },
    "j-th label is gold": {
        "1st": _position(1),
        "2nd": _position(2),
        "3rd": _position(3),
        "1st, 2nd, same answers": _paired,
    },
    "sorted p_1 of labels": {
        "largest": _rank(1),
        "second": _rank(2),
        "third": _rank(3),
        "records, top < 0.3": lambda d: d.profile.low_top,
    },
    "attention a token, %": {
        "of the prompt": lambda d: d.attention and d.attention.input,
        "of the answer": lambda d: d.attention and d.attention.answer,
        "first of earlier labels": lambda d: d.attention and d.attention.labels,
        "all of the prompt": lambda d: d.attention and d.attention.input_total,
    },
    "order of labels": {
        "alphabetical": lambda d: d.label_order.alphabetical.ordered,
        "as in the prompt": lambda d: d.label_order.prompt.ordered,
        "by chance": lambda d: d.label_order.chance,
        "tau, alphabetical": lambda d: d.label_order.alphabetical.tau,
        "tau, prompt": lambda d: d.label_order.prompt.tau,
    },
}
"""group -> row -> what it shows: a share or a mean with its count, a contrast's AUROC, a number."""

NOTE = (
    "In brackets the number of cases, of an AUROC those at last and at intermediate steps. "
    "p_r is taken in the middle of its interval. Attention needs a model."
)


OF_ONE_LABEL = ("answers", "spikiness (gap = ln top/2nd)", "sorted p_1 of labels")
"""Groups that say something of an answer about one label."""

ONE_LABEL_NOTE = (
    "Where each label has an answer of its own, a column is of the answers about one label, and "
    "what is of one answer to all labels is left out: two labels or more, the last step, the "
    "runner-up, the order."
)


def side_by_side(runs: Mapping[str, Diagnosis]) -> Table:
    """A column a run, or a label of a run where each has an answer of its own."""
    alone = [run.about is not None for run in runs.values()]
    rows: list[Sequence[str | Cell]] = []
    for group, readers in ROWS.items():
        about_one = group in OF_ONE_LABEL
        if all(alone) and not about_one:
            continue
        rows.append([Cell(group, best=True)])
        rows += [
            [
                f"  {name}",
                *(
                    shown(read(run)) if about_one or run.about is None else "n/a"
                    for run in runs.values()
                ),
            ]
            for name, read in readers.items()
        ]
    return Table("", ["", *runs], rows, [NOTE, *([ONE_LABEL_NOTE] if any(alone) else [])])


def shown(value: object) -> str:
    """A cell: n/a where there is nothing to divide by."""
    if isinstance(value, Share | Spread):
        return str(value)
    if isinstance(value, Contrast):
        if value.auroc is None:
            return "n/a"
        return f"{value.auroc:.3f} ({value.last.n}, {value.intermediate.n})"
    if isinstance(value, tuple):
        shares = [one for one in value if isinstance(one, Share) and one.value is not None]
        return (
            ", ".join(f"{100 * (share.value or 0):.1f}%" for share in shares) + f" ({shares[0].of})"
        )
    if value is None:
        return "n/a"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
