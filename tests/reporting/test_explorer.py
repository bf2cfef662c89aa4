"""The threshold explorer in a real browser: its numbers and its file are those of Python."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.browser import Browser
from helpers.commands import records
from helpers.commands import run as command
from labelmass.decisions import Guarantee, Policy, Rule
from labelmass.reporting import Explorer, ReportData, draw, explorers, page
from labelmass.reporting.rates import Rates, Share, rates
from labelmass.scores import Scores

NAMES = ("precision", "recall", "false_positives", "given", "review")
LABELS = ("10", "9", "</script><b>", 'a "b" שלוש')
"""Among them names that JavaScript would sort, and end a script by."""
WHY = "[...document.querySelectorAll('.why')].map((one) => one.textContent)"


def share(text: str) -> tuple[Share, list[float]]:
    """A share as the page writes it, with the numbers beside its counts."""
    found = re.fullmatch(r"(\S+) \((\d+) of (\d+)(?:; (\S+) to (\S+))?\)", text)
    assert found is not None, text
    value, part, whole, low, high = found.groups()
    numbers = [] if value == "n/a" else [float(one) for one in (value, low, high)]
    return Share(int(part), int(whole)), numbers


def same(text: str, expected: Share) -> None:
    found, numbers = share(text)
    assert found == expected
    if expected.value is not None and expected.interval is not None:
        assert numbers == pytest.approx([expected.value, *expected.interval], abs=6e-4)


def check(browser: Browser, expected: Rates) -> None:
    """All that is shown, against Python."""
    shown = browser.evaluate(
        "[...document.querySelectorAll('.explorer fieldset')].map((one) =>"
        "[...one.querySelectorAll('dd')].map((dd) => [dd.dataset.share, dd.textContent]))"
    )
    assert len(shown) == len(expected.labels)
    for cells, one in zip(shown, expected.labels, strict=True):
        assert [name for name, _ in cells] == list(NAMES)
        for name, text in cells:
            same(text, getattr(one, name))
    summary = browser.evaluate("document.querySelector('.summary').textContent")
    found = re.match(r"In review: (.*?\))\. Records: (.*?)\.", summary)
    assert found is not None
    same(found[1], expected.review)
    assert found[2] == ", ".join(f"{name} {n}" for name, n in expected.actions.items())


def write(browser: Browser, at: int, which: int, value: float) -> None:
    """A number into the field of a label, 0 for its threshold, 1 for its review."""
    field = (
        f"document.querySelectorAll('.explorer fieldset')[{at}]"
        f".querySelectorAll('input[type=number]')[{which}]"
    )
    browser.evaluate(f"{field}.focus(); {field}.select()")
    browser.write(repr(value))


def tick(browser: Browser, at: int, which: int) -> None:
    box = (
        f"document.querySelectorAll('.explorer fieldset')[{at}]"
        f".querySelectorAll('input[type=checkbox]')[{which}]"
    )
    browser.evaluate(f"{box}.focus()")
    browser.key(" ")


def save(browser: Browser, folder: Path) -> Path:
    """What the button downloads."""
    folder.mkdir()
    return browser.download("button.save", folder)


@pytest.fixture
def opened(browser: Browser, gathered: ReportData, tmp_path: Path):
    """Opens the page of an explorer."""
    drawn = draw(gathered)

    def show(explorer: Explorer) -> None:
        path = tmp_path / "page.html"
        path.write_text(page([gathered], [drawn], [{"m": explorer}]), encoding="utf-8")
        browser.window(1280)
        browser.open(path)

    return show


def invented(straddle: str, seed: int, verdicts: bool = False) -> Explorer:
    """Scores with wide bounds, many of them equal, some unknown; gold with gaps.

    verdicts: with mass that cannot be read, and records of which too little has a verdict.
    """
    draws = np.random.default_rng(seed)
    n, k = 80, len(LABELS)
    ends = np.sort(draws.random((3, n, k)) ** 2, axis=0)
    ends[:, :30] = ends[1, :30].round(1)
    ends[:, 30:60] = np.clip(ends[1, 30:60] + np.array([-0.03, 0, 0.03])[:, None, None], 0, 1)
    ends[:, 5] = np.nan
    ends[[0, 2], 6] = np.nan
    gold = np.where(draws.random((n, k)) < 0.1, np.nan, draws.random((n, k)) < ends[1]) * 1.0
    low, p, high = ends
    scores = Scores.of(tuple(range(n)), LABELS, p, low, high, method="any-place")
    rules = [
        Rule("block", 0.5, 0.3),
        Rule("flag", None, 0.2),
        Rule("flag", 0.4),
        Rule("review", 1.0),
    ]
    policy = Policy(dict(zip(LABELS, rules, strict=True)), straddle)
    scored = replace(scores, off_format=p[:, 0])
    if verdicts:
        verdict = draws.random(n).round(1)
        verdict[7] = np.nan
        scored = replace(scored, unreadable=verdict * draws.random(n).round(1), verdict=verdict)
    return Explorer(policy, True, scored, gold, None, "")


@pytest.mark.parametrize("verdicts", [False, True])
@pytest.mark.parametrize("straddle", ["review", "point", "low", "high"])
def test_any_threshold_does_what_python_says(
    straddle: str, verdicts: bool, browser: Browser, opened
) -> None:
    explorer = invented(straddle, len(straddle), verdicts)
    scored, gold = explorer.scored, explorer.gold
    opened(explorer)
    check(browser, explorer.rates)
    draws = np.random.default_rng(1)
    now = [[rule.threshold, rule.review_from] for rule in explorer.policy.rules.values()]

    def expected() -> Rates:
        rules = {
            label: Rule(rule.action, cut, review if None in (cut, review) else min(cut, review))
            for (label, rule), (cut, review) in zip(explorer.policy.rules.items(), now, strict=True)
        }
        ends = scored.p, scored.low, scored.high, gold
        return rates(Policy(rules, straddle), *ends, scored.ceiling, scored.verdict)

    tick(browser, 1, 0)  # from never to the end of its slider
    now[1][0] = 1.0
    check(browser, expected())
    tick(browser, 2, 1)  # a review that begins where the label is given
    now[2][1] = now[2][0]
    tick(browser, 3, 1)
    now[3][1] = now[3][0]
    every = np.concatenate([end[np.isfinite(end)] for end in (scored.low, scored.p, scored.high)])
    for _ in range(15):
        at, which = int(draws.integers(4)), int(draws.integers(2))
        value = float(draws.choice(every) if draws.random() < 0.5 else draws.random())
        write(browser, at, which, value)
        now[at][which] = value
        check(browser, expected())
    tick(browser, 0, 0)
    now[0][0] = None
    tick(browser, 2, 1)
    now[2][1] = None
    check(browser, expected())
    browser.click("button.back")
    check(browser, explorer.rates)
    assert browser.errors == []


@pytest.fixture(scope="module")
def tuned(levels_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    """A policy with a guarantee for each label, and one with a guarantee for all together."""
    found: dict[str, Policy] = {}
    asked = (
        "tune", str(levels_run / "m"), "--targets", str(levels_run.parent / "dev.jsonl"),
        "--gold", "majority", "--review-budget", "0.2",
    )  # fmt: skip
    for name, goal in (
        ("each", ("--goal", "fpr<=0.3", "--guarantee", "ltt")),
        ("all", ("--goal", "recall>=0.7", "--guarantee", "crc", "--shared")),
    ):
        path = tmp_path_factory.mktemp("policy") / f"{name}.json"
        command(*asked, *goal, "--out", str(path))
        found[name] = Policy.load(path)
        assert all(rule.certified for rule in found[name].rules.values())
    return found


@pytest.mark.parametrize("verdicts", [False, True])
def test_a_label_reviewed_on_every_record_stays_so(
    verdicts: bool, browser: Browser, opened, tmp_path: Path
) -> None:
    guarantee = Guarantee("9", "recall", 0.8, 0.95, None, 80, 6.0, 2.0, 0.3, 4, 690)
    explorer = invented("low", 3, verdicts)
    rules = {**explorer.policy.rules, "9": Rule.of("flag", guarantee)}
    explorer = replace(explorer, policy=replace(explorer.policy, rules=rules))
    opened(explorer)
    check(browser, explorer.rates)
    assert explorer.rates.labels[1].review.part == len(explorer.gold)
    assert "about 690 labelled records would do" in browser.evaluate(WHY)[1]
    saved = Policy.load(save(browser, tmp_path / "saved"))
    assert saved.to_dict() == explorer.policy.to_dict() and saved.rules["9"].everywhere
    assert browser.errors == []


def test_a_slider_moved_by_keyboard_loses_its_guarantee_and_no_other(
    browser: Browser,
    opened,
    gathered: ReportData,
    tuned: dict[str, Policy],
    levels_run: Path,
    tmp_path: Path,
) -> None:
    policy = tuned["each"]
    explorer = explorers([gathered], policy)[0]["m"]
    opened(explorer)
    untouched = Policy.load(save(browser, tmp_path / "untouched"))
    assert untouched.to_dict() == policy.to_dict() and untouched.digest == policy.digest
    browser.evaluate("document.querySelector('#explorer-0-0-1-from').focus()")
    browser.key("ArrowRight", times=3)
    value = browser.evaluate("Number(document.querySelector('#explorer-0-0-1-from').value)")
    before = policy.rules["fear"].threshold
    assert before is not None and value > before
    moved = policy.move("fear", value)
    scored = explorer.scored
    check(browser, rates(moved, scored.p, scored.low, scored.high, explorer.gold))
    assert f"{value}: precision " in browser.evaluate(
        "document.querySelector('#explorer-0-0-1-from').getAttribute('aria-valuetext')"
    )
    assert "without guarantee: fear" in browser.evaluate(
        "document.querySelector('.summary').textContent"
    )
    why = browser.evaluate(WHY)
    note = f"moved by hand from {before:g}, which was certified: no guarantee"
    assert why[1] == moved.rules["fear"].note == note
    guarantees: list[Guarantee | None] = [rule.guarantee for rule in moved.rules.values()]
    assert guarantees[1] is None and guarantees[0] and why[0] == guarantees[0].text
    path = save(browser, tmp_path / "moved")
    assert Policy.load(path).to_dict() == moved.to_dict()
    out = tmp_path / "decided.jsonl"
    command("decide", str(levels_run / "m"), "--policy", str(path), "--out", str(out))
    summary = browser.evaluate("document.querySelector('.summary').textContent")
    for action in ("allow", "flag", "review", "block"):
        count = sum(row["action"] == action for row in records(str(out)))
        assert f"{action} {count}" in summary
    browser.evaluate("document.querySelector('button.back').focus()")
    browser.key("Enter")
    check(browser, explorer.rates)
    again = Policy.load(save(browser, tmp_path / "again"))
    assert again.to_dict() == policy.to_dict()
    assert browser.errors == []


def test_a_guarantee_for_all_labels_together_is_lost_whole(
    browser: Browser, opened, gathered: ReportData, tuned: dict[str, Policy], tmp_path: Path
) -> None:
    policy = tuned["all"]
    opened(explorers([gathered], policy)[0]["m"])
    write(browser, 2, 0, 0.25)
    moved = policy.move("joyful", 0.25)
    assert not any(rule.guarantee for rule in moved.rules.values())
    path = save(browser, tmp_path / "moved")
    assert json.loads(path.read_text(encoding="utf-8")) == moved.to_dict()
    assert browser.evaluate(WHY) == [rule.note for rule in moved.rules.values()]


def test_what_is_moved_in_the_review_keeps_its_guarantee(
    browser: Browser, opened, gathered: ReportData, tuned: dict[str, Policy], tmp_path: Path
) -> None:
    policy = tuned["each"]
    opened(explorers([gathered], policy)[0]["m"])
    write(browser, 1, 1, 0.2)
    tick(browser, 2, 1)
    tick(browser, 0, 0)
    found = Policy.load(save(browser, tmp_path / "saved")).rules
    assert (found["fear"].review_from, found["joyful"].review_from) == (0.2, None)
    assert found["fear"].guarantee == policy.rules["fear"].guarantee
    assert found["joyful"].guarantee == policy.rules["joyful"].guarantee
    assert found["joy"] == policy.rules["joy"].moved(None)


def test_labels_are_saved_in_their_order_and_as_they_are(
    browser: Browser, opened, tmp_path: Path
) -> None:
    explorer = invented("low", 0)
    opened(explorer)
    untouched = Policy.load(save(browser, tmp_path / "untouched"))
    assert untouched.digest == explorer.policy.digest
    write(browser, 0, 0, 0.625)
    found = Policy.load(save(browser, tmp_path / "saved"))
    assert found.labels == LABELS
    assert found.to_dict() == explorer.policy.move("10", 0.625).to_dict()
    assert browser.evaluate("document.querySelector('.explorer b')") is None


def test_only_the_page_s_own_script_runs(
    browser: Browser, gathered: ReportData, tmp_path: Path
) -> None:
    whole = page([gathered], [draw(gathered)], explorers([gathered]))
    path = tmp_path / "page.html"
    path.write_text(
        whole.replace("</body>", "<script>document.title = 'x'</script></body>"), "utf-8"
    )
    browser.open(path)
    assert browser.evaluate("document.querySelectorAll('.explorer input').length") == 18
    assert browser.evaluate("document.title") != "x"
    assert any("Content Security Policy" in one for one in browser.errors)


def test_without_script_the_policy_is_a_table(
    browser: Browser, gathered: ReportData, tuned: dict[str, Policy], tmp_path: Path
) -> None:
    whole = page([gathered], [draw(gathered)], explorers([gathered], tuned["each"]))
    path = tmp_path / "page.html"
    path.write_text(whole, encoding="utf-8")
    with browser.without_scripts(path) as shown:
        assert "<input" not in shown.locator(".explorer").inner_html()
        assert "needs JavaScript" in shown.locator("#run1-thresholds noscript").inner_text()
        guarantee = tuned["each"].rules["fear"].guarantee
        assert guarantee is not None
        table = shown.locator("#run1-thresholds table").inner_text()
        assert "fear" in table and f"at threshold {guarantee.threshold:g}" in table
