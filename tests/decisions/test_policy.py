"""The policy: what it does with intervals, what it guarantees, and what a hand takes away."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.calibration import fit
from labelmass.decisions import Guarantee, LabelOutcome, Policy, Reference, Rule, apply_policy
from labelmass.decisions.policy import STRADDLES
from labelmass.decisions.rule import ACTIONS
from labelmass.errors import FitError, LabelMassError
from labelmass.files.toml import dumps

CERTAIN = Guarantee("rage", "precision", 0.9, 0.95, 0.7, 500, 60.0, 2.0, 0.01, 3)
UNSURE = Guarantee("fear", "precision", 0.9, 0.95, None, 500, 9.0, 1.0, 0.3, 3, 1200)
SIGNATURE: dict[str, Any] = {"fingerprint": "abc", "methods": ["any-place"], "prior": None}
SCORES = np.random.default_rng(0).random((300, 3))
POLICY = Policy(
    {
        "rage": Rule("block", 0.7, 0.4, CERTAIN),
        "fear": Rule("flag", None, guarantee=UNSURE),
        'joy "now"\n': Rule("flag", 0.5),
    },
    records=500,
    ids="f00d",
    signature=SIGNATURE,
    reference=Reference.of(("rage", "fear", 'joy "now"\n'), SCORES, (0.7, None, 0.5)),
)


@pytest.mark.parametrize("name", ["policy.json", "policy.toml"])
def test_a_file_keeps_everything(name: str, tmp_path: Path) -> None:
    POLICY.save(tmp_path / name)
    again = Policy.load(tmp_path / name)
    assert again.to_dict() == POLICY.to_dict()
    assert replace(again, signature=SIGNATURE) == POLICY  # except for the prior that is null
    given = [apply_policy(one, SCORES, signature=SIGNATURE).actions for one in (again, POLICY)]
    assert given[0] == given[1]


def test_the_text_says_what_is_guaranteed() -> None:
    assert POLICY.text.splitlines() == [
        "rage: block at 0.7 or more, review from 0.4. With 95% confidence from 500 records, "
        "jointly for 3 labels, at least 0.9 of what is given 'rage' is right, at threshold 0.7.",
        "fear: flag never. Not certified on 500 records: that at least 0.9 of what is given 'fear' "
        "is right; about 1200 labelled records would do.",
        'joy "now"',
        ": flag at 0.5 or more. no guarantee",
        "A label whose interval leaves two outcomes open goes to review.",
        "Where the format has a verdict, a record of which less than 0.5 gives one goes to review.",
    ]


def test_a_threshold_moved_by_hand_loses_its_guarantee(tmp_path: Path) -> None:
    moved = POLICY.move("rage", 0.6)
    rule = moved.rules["rage"]
    assert (
        not rule.certified
        and rule.guarantee is None
        and (rule.threshold, rule.action) == (0.6, "block")
    )
    assert rule.note == "moved by hand from 0.7, which was certified: no guarantee"
    assert moved.rules["fear"] == POLICY.rules["fear"]
    assert POLICY.move("rage", 0.7) == POLICY
    assert POLICY.move("rage", 0.3).rules["rage"].review_from == 0.3
    assert POLICY.move("fear", 0.9).rules["fear"].note == "moved by hand from never: no guarantee"

    data = POLICY.to_dict()
    data["labels"]["rage"]["threshold"] = 0.6
    (tmp_path / "edited.json").write_text(json.dumps(data))
    assert Policy.load(tmp_path / "edited.json") == Policy.from_dict(moved.to_dict())
    (tmp_path / "edited.toml").write_text(dumps(data))
    assert Policy.load(tmp_path / "edited.toml").rules["rage"] == rule


@pytest.mark.parametrize("edited", [False, True])
def test_a_guarantee_for_all_labels_goes_whole(edited: bool) -> None:
    joint = Guarantee("*", "record-miss-rate", 0.1, None, 0.2, 500, 400.0, 30.0)
    policy = Policy({name: Rule("flag", 0.2, None, joint) for name in "ab"})
    assert Policy.from_dict(policy.to_dict()) == policy
    if edited:
        data = policy.to_dict()
        data["labels"]["a"]["threshold"] = 0.3
        moved = Policy.from_dict(data)
    else:
        moved = policy.move("a", 0.3)
    assert [rule.certified for rule in moved.rules.values()] == [False, False]
    assert moved.rules["b"].note == "another label's threshold was moved by hand: no guarantee"


def outcome(rule: Rule, score: float) -> LabelOutcome:
    if rule.threshold is not None and score >= rule.threshold:
        return LabelOutcome.ABOVE
    if rule.review_from is not None and score >= rule.review_from:
        return LabelOutcome.REVIEW
    return LabelOutcome.BELOW


@pytest.mark.parametrize("name", ["decisions.jsonl", "decisions.csv"])
def test_decisions_are_saved_with_their_ids(name: str, tmp_path: Path) -> None:
    policy = Policy({"id": Rule("flag", 0.5), "joy": Rule("block", 0.7)})
    ids = ["a,b", 7, "\udcff"]
    done = apply_policy(policy, np.array([[0.6, 0.1], [0.1, 0.9], [np.nan, 0.2]]), ids=ids)
    done.save(tmp_path / name)
    text = (tmp_path / name).read_bytes().decode()
    if name.endswith("csv"):
        rows = [tuple(row) for row in csv.reader(io.StringIO(text))]
        assert rows[0] == ("id", "action", "label:id", "joy")
        assert rows[1:] == [
            ("a,b", "flag", "flag", "allow"),
            ("7", "block", "allow", "block"),
            ("\\udcff", "review", "review", "allow"),
        ]
    else:
        rows = [json.loads(line) for line in text.splitlines()]
        assert [row["id"] for row in rows] == ["a,b", 7, "\udcff"]
        assert [row | {"id": name} for row, name in zip(rows, ids, strict=True)] == done.to_rows()


def test_decisions_of_other_ids_or_to_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="2 ids for 1 rows"):
        apply_policy(POLICY, SCORES[:1], ids=["a", "b"], signature=SIGNATURE)
    done = apply_policy(POLICY, SCORES, signature=SIGNATURE)
    assert done.ids == tuple(range(len(SCORES)))
    with pytest.raises(LabelMassError, match=r"must end in \.jsonl or \.csv"):
        done.save(tmp_path / "decisions.txt")


@property_test(60)
@given(st.integers(0, 10**9), st.sampled_from(list(STRADDLES)))
def test_every_cell_and_record_by_the_rules(seed: int, straddle: str) -> None:
    draw = np.random.default_rng(seed)
    low, p, high = np.sort(draw.random((3, 6, 3)).round(1), axis=0)
    p[0, 0] = low[1, 1] = np.nan
    policy = replace(POLICY, straddle=straddle)
    done = apply_policy(policy, p, low, high)
    for i, row in enumerate(done.to_rows()):
        strictest = 0
        for j, (label, rule) in enumerate(policy.rules.items()):
            ends = [p[i, j] if np.isnan(end[i, j]) else end[i, j] for end in (low, p, high)]
            one, point, other = (outcome(rule, end) for end in ends)
            right = {"review": LabelOutcome.REVIEW, "point": point, "low": one, "high": other}[
                straddle
            ]
            right = point if one == other else right
            right = LabelOutcome.REVIEW if np.isnan(p[i, j]) else right
            assert done.outcomes[i, j] == right
            assert (label in row["straddles"]) == (one != other and not np.isnan(p[i, j]))
            assert (label in row["given"], label in row["review"]) == (right == 2, right == 1)
            action = {0: "allow", 1: "review", 2: rule.action}[int(right)]
            strictest = max(strictest, ACTIONS.index(action))
        assert row["action"] == done.actions[i] == ACTIONS[strictest]
    assert sum(done.counts.values()) == 6


def test_scores_of_another_kind_are_refused() -> None:
    with pytest.raises(FitError, match="fingerprint: 'abc', now 'x'"):
        apply_policy(POLICY, SCORES, signature=SIGNATURE | {"fingerprint": "x"})
    assert apply_policy(POLICY, SCORES, signature=SIGNATURE | {"fingerprint": "x"}, force=True)
    cal = fit(POLICY.labels, range(300), SCORES, SCORES.round())
    policy = replace(POLICY, calibrator=cal.digest)
    assert apply_policy(policy, SCORES, calibrator=cal.digest)
    other = fit(POLICY.labels, range(299), SCORES[:299], SCORES[:299].round())
    for digest in (None, other.digest):
        with pytest.raises(FitError, match=f"through the calibrator {cal.digest}, not {digest}"):
            apply_policy(policy, SCORES, calibrator=digest)
    with pytest.raises(FitError, match=r"scores of shape \(300, 2\)"):
        apply_policy(POLICY, SCORES[:, :2])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Rule("ban", 0.5), "no action is called 'ban': one of allow, flag, review, block"),
        (lambda: Rule("flag", 0.5, 0.6), "review begins at 0.6, above the threshold 0.5"),
        (lambda: Policy({}), "decides nothing"),
        (lambda: replace(POLICY, straddle="maybe"), "straddle is one of review, point"),
        (lambda: POLICY.move("anger", 0.1), "no label is called 'anger'"),
        (lambda: Policy.from_dict({"kind": "x"}), "not a policy of labelmass: kind is 'x'"),
        (lambda: Policy.from_dict({}), "not a policy of labelmass"),
        (lambda: Policy.load("no-such.toml"), "cannot read the policy 'no-such.toml'"),
        (lambda: Guarantee.from_dict({"x": 1}), "not a guarantee"),
    ],
)
def test_what_is_no_policy_is_named(make: Any, said: str) -> None:
    with pytest.raises(FitError, match=said):
        make()


TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)
VALUES = st.one_of(TEXTS, st.integers(-(2**60), 2**60), st.booleans(),
                   st.floats(allow_nan=False, allow_infinity=False))  # fmt: skip
TABLES: Any = st.recursive(
    st.dictionaries(TEXTS, st.one_of(VALUES, st.lists(VALUES, max_size=3)), max_size=3),
    lambda inner: st.dictionaries(TEXTS, st.one_of(VALUES, inner), max_size=3),
    max_leaves=6,
)


@property_test(200)
@given(TABLES)
def test_toml_is_read_as_it_was_written(data: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(data)) == data
