"""Threshold section: a policy as a table, which a script makes movable."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from labelmass.decisions import Policy, Rule
from labelmass.decisions.policy import STRADDLES
from labelmass.present.tables import Cell, Table, number
from labelmass.reporting.explorer import Explorer
from labelmass.reporting.rates import LabelRates, Share
from labelmass.reporting.rendering import source

SCRIPT = "explorer.js"


@dataclass(frozen=True, slots=True)
class Movable:
    """A model's policy as the page states it, before a script makes it movable."""

    name: str
    run: int
    model: int
    lead: str
    note: str
    table: Table
    sum: str


def table(explorer: Explorer, name: str, run: int, model: int) -> Movable:
    """run, model: Places in the numbers of the page, where the script finds the scores."""
    found, policy = explorer.rates, explorer.policy
    pairs = zip(policy.rules.items(), found.labels, strict=True)
    rows = [_row(label, rule, one) for (label, rule), one in pairs]
    done = ", ".join(f"{action} {count}" for action, count in found.actions.items())
    return Movable(
        name,
        run,
        model,
        _where(explorer),
        f"By {explorer.scored.method}, on the {len(explorer.gold)} records that have a "
        "score and human labels; each share with its counts and 95 % interval (Wilson). "
        f"A label whose bounds leave two outcomes open {STRADDLES[policy.straddle]}."
        + _verdict(explorer),
        Table(_caption(policy, explorer.given), _HEAD, rows),
        f"In review, in one label or more: {_sentence(found.review)} of the records. "
        f"Records by their strictest action: {done}.",
    )


_HEAD = (
    "label",
    "action",
    "from",
    "review from",
    "precision",
    "recall",
    "false-positive rate",
    "given",
    "in review",
    "why",
)


def _caption(policy: Policy, given: bool) -> str:
    made = "" if policy.records is None else f", made on {policy.records} records"
    return f"The policy{made}" if given else "The threshold of the comparison"


def _row(label: str, rule: Rule, one: LabelRates) -> list[str | Cell]:
    shares = (one.precision, one.recall, one.false_positives, one.given, one.review)
    return [
        label,
        rule.action,
        "never" if rule.threshold is None else _from(rule.threshold),
        "" if rule.review_from is None else _from(rule.review_from),
        *(share_cell(share) for share in shares),
        rule.why,
    ]


def _from(cut: float) -> str:
    return f"{cut:.4g}" if cut else "0: every record"


def _verdict(explorer: Explorer) -> str:
    """Sentence on answers that cannot be read; "" for a format without a verdict."""
    if explorer.scored.verdict is None:
        return ""
    return (
        " Mass behind a risk verdict that cannot be read counts as open, and a record of which "
        f"less than {explorer.policy.min_verdict:g} gives a verdict goes to review."
    )


def share_cell(share: Share) -> Cell:
    """A share with its counts and interval."""
    details = [f"{share.part} of {share.whole}", *_interval(share)]
    return Cell(number(share.value), details=details)


def _sentence(share: Share) -> str:
    inside = "; ".join([f"{share.part} of {share.whole}", *_interval(share)])
    return f"{number(share.value)} ({inside})"


def _interval(share: Share) -> list[str]:
    return ["{:.3f} to {:.3f}".format(*share.interval)] if share.interval else []


def _where(explorer: Explorer) -> str:
    """Paragraph on how far the numbers can be trusted."""
    policy, here = explorer.policy, explorer.tuned_here
    if not explorer.given:
        first = "No policy was given, so this begins at the threshold of the comparison."
    elif here is None:
        first = (
            "The policy does not say which records its thresholds were found on; if on these, the "
            "numbers flatter."
        )
    elif here:
        first = (
            "The thresholds were found on these very records, so the numbers flatter: expect less "
            "on others."
        )
    else:
        first = (
            f"The thresholds were found on other records ({policy.records}) than these; whether "
            "some are in both cannot be told."
        )
    note = f" Shown {explorer.note}." if explorer.note else ""
    return (
        f"{first}{note} Whoever moves a threshold while looking at these numbers fits it to these "
        "records."
    )


def allowed() -> str:
    """Hash by which a Content-Security-Policy allows the script, and no other."""
    return f"'sha256-{b64encode(sha256(source(SCRIPT).encode()).digest()).decode()}'"
