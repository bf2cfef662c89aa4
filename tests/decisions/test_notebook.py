"""Decisions as a notebook shows them."""

from __future__ import annotations

import numpy as np

from helpers.strict_html import Element, read
from labelmass.decisions import Decisions, Policy, Rule, apply_policy


def decided(count: int = 2, **options: object) -> Decisions:
    rules = {"joy": Rule("flag", 0.5), "<script>": Rule("block", 0.5)}
    p = np.tile([[0.9, 0.4]], (count, 1))
    return apply_policy(Policy(rules), p, p - 0.1, p + 0.05, **options)  # type: ignore[arg-type]


def shown(decisions: Decisions) -> tuple[list[list[str]], Element]:
    page = read(decisions._repr_html_())
    rows = [[one.text for one in row.all() if one.name in ("td", "th")] for row in page.all("tr")]
    return rows, page


def test_a_record_has_its_action_and_each_labels() -> None:
    (head, first, _), page = shown(decided(ids=["a", "b"]))
    assert head == ["id", "action", "joy", "<script>"]
    assert first == ["a", "flag", "flag", "allow"]
    assert "all records: flag 2" in page.text


def test_labels_and_ids_are_escaped() -> None:
    (_, row), page = shown(decided(1, ids=["<script>x</script>"]))
    assert not list(page.all("script")) and row[0] == "<script>x</script>"


def test_a_decision_that_another_exploration_could_change_says_so() -> None:
    rules = {"joy": Rule("flag", 0.5)}
    p = np.array([[0.45]])
    (_, row), _ = shown(apply_policy(Policy(rules, straddle="point"), p, p - 0.1, p + 0.1))
    assert row == ["0", "allowstraddles", "allowstraddles"]


def test_only_the_first_records_are_shown_and_the_table_says_so() -> None:
    rows, page = shown(decided(30))
    assert len(rows) == 21
    assert "the first 20 of 30 records" in page.text and "all records: flag 30" in page.text
