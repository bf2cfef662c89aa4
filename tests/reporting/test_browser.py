"""The page in a real browser: narrow and wide, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.browser import Browser
from labelmass.present.drawing import panel_svg
from labelmass.present.figures import Axis, Heat, Panel
from labelmass.reporting import ReportData, draw, explorers, page
from labelmass.reporting.rendering import asset

CONTRAST = """(() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) =>
    0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (at) => {
    for (; at; at = at.parentElement) {
      const found = numbers(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const found = [];
  let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const at = walk.currentNode.parentElement, look = getComputedStyle(at);
    if (!walk.currentNode.data.trim() || !at.checkVisibility()) continue;
    if (["SCRIPT", "STYLE", "title", "desc"].includes(at.tagName)) continue;
    const ink = numbers(at.closest("svg") ? look.fill : look.color);
    const [one, other] = [light(ink), light(behind(at))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    seen += 1;
    if (ratio < 4.5) found.push([at.outerHTML.slice(0, 100), ratio]);
  }
  return [seen > 300, found];
})()"""
"""Texts that stand out from what is behind them by less than WCAG's 4.5."""

WIDE = """(() => {
  const page = document.documentElement, outside = [];
  for (const one of document.querySelectorAll("body *")) {
    if (one.getBoundingClientRect().right <= page.clientWidth + 1) continue;
    let at = one.parentElement;
    while (at && getComputedStyle(at).overflowX === "visible") at = at.parentElement;
    if (!at) outside.push(one.outerHTML.slice(0, 100));
  }
  return [page.scrollWidth - page.clientWidth, outside];
})()"""
"""By how much the page is wider than the window, and what is outside."""


CLIPPED = """(() => {
  const found = [];
  let seen = 0;
  for (const image of document.querySelectorAll(".panels svg")) {
    const box = image.getBoundingClientRect();
    for (const text of image.querySelectorAll("text")) {
      const one = text.getBoundingClientRect();
      const inside = one.left >= box.left - 1 && one.right <= box.right + 1
        && one.top >= box.top - 1 && one.bottom <= box.bottom + 1;
      const size = 12 * box.width / image.viewBox.baseVal.width;
      seen += 1;
      if (!inside || size < 9.5) found.push([image.querySelector("title").textContent,
        text.textContent, size]);
    }
  }
  return [seen > 30, found];
})()"""
"""Texts of the figures that are cut off at an edge, or smaller than 9.5 pixels."""


@pytest.fixture(scope="module")
def path(gathered: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("page") / "report.html"
    found.write_text(page([gathered], [draw(gathered)], explorers([gathered])), encoding="utf-8")
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_can_be_read(
    width: int, dark: bool, browser: Browser, path: Path
) -> None:
    browser.window(width, dark=dark)
    browser.open(path)
    assert browser.evaluate("innerWidth") == width
    for _ in ("folded", "unfolded"):
        assert browser.evaluate(WIDE) == [0, []]
        assert browser.evaluate(CONTRAST) == [True, []]
        assert browser.evaluate(CLIPPED) == [True, []]
        browser.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        browser.evaluate("document.querySelector('.explorer input').focus()")
        browser.key("ArrowLeft")
    assert browser.errors == []
    assert browser.requests == [path.resolve().as_uri()]  # nothing else is loaded


def test_a_text_is_seen_when_it_is_unfolded(browser: Browser, path: Path) -> None:
    browser.window(390)
    browser.open(path)
    seen = "document.querySelector('article .record').checkVisibility()"
    assert browser.evaluate(seen) is False
    browser.click("article summary")
    assert browser.evaluate(seen) is True


@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_are_shortened_and_not_cut_off(
    width: int, browser: Browser, tmp_path: Path
) -> None:
    names = [
        "neutral and matter-of-fact or more", "W" * 40, "日本語のとても長いラベルの名前です",
        "שלוש " * 9, "🙂" * 20, "i" * 40,
    ]  # fmt: skip
    ticks = [(0, "0"), (0.05, "0.025"), (0.1, "0.05")]
    risk = Axis("risk", 0, 0.1, ticks)
    panels = [Panel(name, "x", Axis("% of records"), risk, []) for name in names]
    heat = Heat("Both", "x", names, [[0.1] * len(names)] * len(names), 0.1)
    drawn = "".join(f"<div>{panel_svg(one, f'p{at}')}</div>" for at, one in enumerate(panels))
    path = tmp_path / "names.html"
    path.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><style>{asset("style.css")}</style>'
        f'<div class="panels">{drawn}</div>'
        f'<div class="panels co-occurrence"><div>{panel_svg(heat, "heat")}</div></div>',
        encoding="utf-8",
    )
    browser.window(width)
    browser.open(path)
    assert browser.evaluate(CLIPPED) == [True, []]
