"""Every analysis against a slow reading of the script itself, on random models."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from analysis import naive
from analysis.scripted_lists import everything
from helpers.brute_force import random_script
from helpers.property_tests import property_test
from labelmass.analysis import Answer, Item, Kind, Share, diagnose, read_answer
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import comma_list

FORMAT = comma_list(blanks="", separators=(",",))


def random_answers(seed: int, count: int) -> tuple[list[Item], list[naive.NaiveAnswer]]:
    items: list[Item] = []
    slow: list[naive.NaiveAnswer] = []
    for model, gold, order in random_models(seed, count):
        tree = everything(model, FORMAT, naive.LABELS)
        items.append(Item(tree, frozenset(gold), tuple(order)))
        slow.append(naive.read(model, gold, order))
    return items, slow


def random_models(
    seed: int, count: int
) -> Iterator[tuple[ScriptedLanguageModel, set[str], list[str]]]:
    """Models with gold labels and an order of labels."""
    for number in range(count):
        rng = random.Random(f"{seed}:{number}")
        model = ScriptedLanguageModel(on_format(f"{seed}{number}", rng), naive.TOKENS)
        gold = set(rng.sample(naive.LABELS, rng.randint(0, 4)))
        yield model, gold, rng.sample(naive.LABELS, 4)


def on_format(seed: str, rng: random.Random):
    """A random script that mostly stays in the format and goes on for a while."""
    plain = random_script(int(seed), naive.TOKENS, depth=rng.choice([3, 5, 6]), width=5)
    loyal = rng.random() < 0.8

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        found = plain(prompt, path)
        text = "".join(path)
        if not loyal:
            return found
        kept = {
            token: p
            for token, p in found.items()
            if naive.closed(text + token.replace("<end>", ""), token == "<end>") is not None
        }
        if not kept:
            kept = {"<end>": 1.0} if naive.closed(text, True) else {"a": 0.8, "b": 0.2}
        total = sum(kept.values())
        return {token: 0.95 * p / total for token, p in kept.items()}

    return script


@property_test(60)
@given(st.integers(0, 10**9))
def test_what_is_read_of_a_tree(seed: int) -> None:
    (item,), (slow,) = random_answers(seed, 1)
    answer = read_answer(item)
    assert [naive.LABELS[one] for one in answer.written] == slow.written
    assert (answer.ending, answer.empty and answer.complete) == (slow.ending, slow.empty)
    assert [(p.number, p.kind) for p in answer.label_steps] == [
        (s.number, s.kind) for s in slow.steps
    ]
    for label_step, step in zip(answer.label_steps, slow.steps, strict=True):
        assert label_step.non_label_mass == pytest.approx(1 - step.z, abs=1e-9)
        assert label_step.width == pytest.approx(0, abs=1e-9) or not step.p
        assert label_step.stop == (None if step.stop is None else pytest.approx(step.stop))
        p = [] if label_step.p is None else label_step.p.tolist()
        assert p == pytest.approx(list(step.p.values()), abs=1e-9)


@property_test(15)
@given(st.integers(0, 10**9))
def test_analyses(seed: int) -> None:
    items, slow = random_answers(seed, 12)
    found = diagnose(items)
    kinds = found.spikiness.kinds
    for kind in Kind:
        steps = [s for a in slow for s in a.steps if s.kind == kind]
        assert kinds[kind].steps == len(steps)
        spread = kinds[kind].top
        values = naive.tops(slow, kind, 1)
        assert spread.n == len(values)
        if values:
            assert spread.mean == pytest.approx(np.mean(values))
            assert spread.quantiles == pytest.approx(np.percentile(values, [5, 25, 50, 75, 95]))
            assert kinds[kind].second.mean == pytest.approx(np.mean(naive.tops(slow, kind, 2)))
            assert kinds[kind].entropy.mean == pytest.approx(np.mean(naive.bits(slow, kind)))
    _check_stopping(found.stopping, slow)
    for unwritten, rate in (
        (False, found.rank_consistency),
        (True, found.rank_consistency_unwritten),
    ):
        hits = naive.rank_hits(slow, unwritten)
        assert rate.hits == Share(sum(hits), len(hits))
        left_out = rate.empty + rate.unknown + rate.repeats + rate.unread
        assert rate.steps == len(hits) + left_out == kinds[Kind.INTERMEDIATE].steps
    corrected, published = naive.never(slow)
    never = found.never_predicted
    assert never.corrected == Share(sum(corrected), len(corrected))
    assert never.published == Share(sum(published), len(published))
    assert never.steps == len(corrected) + never.empty + never.written
    positions = naive.second_positions(slow)
    assert {at: share.hits for at, share in found.second_label.positions.items()} == {
        at: positions.count(at) for at in set(positions)
    }
    _check_order(found, slow, [read_answer(item) for item in items])


def _check_stopping(found, slow: list[naive.NaiveAnswer]) -> None:
    for name, read in (
        ("top", lambda kind: naive.tops(slow, kind, 1)),
        ("second", lambda kind: naive.tops(slow, kind, 2)),
        ("entropy", lambda kind: naive.bits(slow, kind)),
    ):
        # values that differ by rounding alone are ties to one and not to the other
        last, other = (np.round(read(kind), 9).tolist() for kind in ("last", "intermediate"))
        ours = found.steps[name]
        expected = naive.contrast(last, other)
        if expected is None:
            assert ours.difference is ours.ks is ours.auroc is None
        elif len({*last, *other}) == len(last) + len(other):
            assert (ours.difference, ours.ks, ours.auroc) == pytest.approx(expected)
    steps = [step for answer in slow for step in answer.steps if step.stop is not None]
    assert sum(b.n for b in found.bins) == len(steps)
    if steps:
        squares = [(step.stop - (step.kind == "last")) ** 2 for step in steps]
        assert found.brier == pytest.approx(np.mean(squares))


def _check_order(found, slow: list[naive.NaiveAnswer], answers: list[Answer]) -> None:
    for j, share in found.order_accuracy.all.items():
        hits = naive.gold_at(slow, j, j)
        assert share == Share(sum(hits), len(hits))
    for least, shares in found.order_accuracy.paired.items():
        for j, share in enumerate(shares, start=1):
            hits = naive.gold_at(slow, j, least)
            assert share == Share(sum(hits), len(hits))
    several = naive.several(slow)
    taus = [
        kendalltau(range(len(a.labels)), [a.order.index(label) for label in a.labels]).statistic
        for a in several
    ]
    assert found.label_order.prompt.tau.n == len(several)
    if several:
        assert found.label_order.prompt.tau.mean == pytest.approx(np.mean(taus))
        ordered = [a.labels == sorted(a.labels) for a in several]
        assert found.label_order.alphabetical.ordered == Share(sum(ordered), len(ordered))
    for rank, spread in enumerate(found.profile.ranks, start=1):
        firsts = [{k: p for k, p in a.steps[0].p.items() if k != "none"} for a in slow]
        values = [sorted(p.values())[-rank] for p in firsts if p]
        assert spread.mean == pytest.approx(np.mean(values))
    assert found.multi_label.rate.hits == sum(len(set(a.written)) > 1 for a in slow)
    assert found.repeats.again.hits == sum(len(set(a.written)) < len(a.written) for a in slow)
    assert all(len(a.label_steps) == len(s.steps) for a, s in zip(answers, slow, strict=True))


def test_the_random_answers_are_worth_reading() -> None:
    slow = [naive.read(*drawn) for drawn in random_models(0, 400)]
    kinds = [step.kind for answer in slow for step in answer.steps]
    assert min(kinds.count(kind) for kind in Kind) > 15
    assert len(naive.several(slow)) > 40
    corrected, published = naive.never(slow)
    assert 0 < np.mean(corrected) < 1 and len(corrected) < len(published)
    assert any(naive.rank_hits(slow, True)) and len(set(naive.second_positions(slow))) > 1
