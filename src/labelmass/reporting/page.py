"""The page: one HTML file that needs no network and no other file, and is read without script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources
from importlib.metadata import version

from labelmass.present.drawing import panel_svg, swatch_svg
from labelmass.present.figures import Figure
from labelmass.reporting import thresholds
from labelmass.reporting.disagreements import apart
from labelmass.reporting.explorer import Explorers
from labelmass.reporting.figures import figures
from labelmass.reporting.footnotes import cost, warning_list, warnings
from labelmass.reporting.gather import Gathered
from labelmass.reporting.html import Markup, fold, join, table, tag
from labelmass.reporting.numbers import Drawn, data, numbers
from labelmass.reporting.scores import scores
from labelmass.reporting.setup import asked

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The browser is told to load and run nothing, but for the page's own script if it has one."""


def draw(run: Gathered) -> Drawn:
    """Every figure of a run."""
    return {model.name: figures(run, model) for model in run.models}


def page(
    runs: Sequence[Gathered],
    drawn: Sequence[Drawn],
    explorers: Sequence[Explorers] | None = None,
) -> str:
    """The document. explorers: for each run, if thresholds can be tried."""
    title = f"labelmass report: {', '.join(run.name for run in runs)}"
    explorers = explorers or [{} for _ in runs]
    every = zip(runs, drawn, explorers, strict=True)
    parts = [_Part(number, *one) for number, one in enumerate(every)]
    found = data(numbers(runs, drawn, explorers))
    policy, scripts = POLICY, [found]
    if any(explorers):
        policy, scripts = (
            f"{POLICY}; script-src {thresholds.allowed()}",
            [found, thresholds.script()],
        )
    style = resources.files("labelmass.reporting").joinpath("style.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag(
            "header",
            tag("h1", title),
            tag(
                "p",
                "What a language model's own probabilities say about labels, beside what people "
                "said. Every figure has its numbers as a table below it.",
            ),
        ),
        tag("nav", *(part.contents() for part in parts), aria_label="Contents"),
        tag("main", *(part.section() for part in parts)),
        tag("footer", tag("p", f"Made by labelmass {version('labelmass')} from saved trees.")),
        *scripts,
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


class _Part:
    """One run's part of the page. number: its place among the runs."""

    def __init__(self, number: int, run: Gathered, drawn: Drawn, explorers: Explorers) -> None:
        self._id, self._number, self._run = f"run{number + 1}", number, run
        self._drawn, self._explorers = drawn, explorers
        self._sections = list(self._find())

    def _find(self) -> Iterator[tuple[str, str, Markup]]:
        """Name, title and content of each section."""
        run = self._run
        yield "asked", "What was asked of which model", asked(run)
        yield "scores", "How the methods compare", scores(run.comparison)
        for name, title, wanted in _FIGURES:
            content = join(self._by_model(wanted))
            if content:
                yield name, title, content
        if self._explorers:
            yield "thresholds", "Which threshold?", join(self._thresholds())
        yield "apart", "Where model and people disagree most", self._apart()
        yield "cost", "What it cost, and what the methods are", cost(run)
        yield "warnings", "Warnings", warning_list(run)

    def _thresholds(self) -> Iterator[Markup]:
        for number, model in enumerate(self._run.models):
            if model.name in self._explorers:
                several = len(self._run.models) > 1
                yield tag("h4", model.name) if several else join([])
                yield thresholds.section(self._explorers[model.name], self._number, number)

    def _by_model(self, wanted: Sequence[str]) -> Iterator[Markup]:
        for number, model in enumerate(self._run.models, 1):
            found = [one for name, one in self._drawn[model.name].items() if name in wanted]
            if found and len(self._run.models) > 1:
                yield tag("h4", model.name)
            yield from (_figure(one, f"{self._id}-m{number}-{one.name}") for one in found)

    def _apart(self) -> Markup:
        several = len(self._run.models) > 1
        parts = [
            tag(
                "p",
                "Records by the mean of |P - share of people| over their labels. The texts are "
                "folded, as some may offend.",
                class_="note",
            )
        ]
        for model in self._run.models:
            parts += [tag("h4", model.name)] if several else []
            parts.append(apart(self._run, model, "h5" if several else "h4"))
        return join(parts)

    def section(self) -> Markup:
        """All of it."""
        found = warnings(self._run)
        link = tag(
            "a",
            f"{len(found)} warning{'' if len(found) == 1 else 's'}",
            href=f"#{self._id}-warnings",
        )
        names = ", ".join(model.signature.model for model in self._run.models)
        lead = f"{self._run.task.name}, {self._run.comparison['items']} records, {names}. "
        return tag(
            "section",
            tag("h2", self._run.name),
            tag("p", lead, link if found else "No warnings.", class_="lead"),
            *(
                tag("section", tag("h3", title), content, id=f"{self._id}-{name}")
                for name, title, content in self._sections
            ),
            id=self._id,
        )

    def contents(self) -> Markup:
        """Links to its sections."""
        links = [
            tag("li", tag("a", title, href=f"#{self._id}-{name}"))
            for name, title, _ in self._sections
        ]
        return join([tag("p", self._run.name), tag("ul", *links)])


_FIGURES = (
    (
        "reliability",
        "Do the probabilities mean what they say?",
        ("reliability", "reliability-labels"),
    ),
    ("curves", "What is right if the unsure is left out?", ("risk-coverage", "precision-recall")),
    ("writing", "How the model writes several labels", ("spikiness", "profile")),
    ("pairs", "Labels that come together", ("co-occurrence",)),
)
"""Name, title and figures of the sections in between."""


def _figure(figure: Figure, name: str) -> Markup:
    swatches = [
        tag("li", Markup(swatch_svg(mark, f"{name}-s{at}")), text)
        for at, (text, mark) in enumerate(figure.legend.items(), 1)
    ]
    return tag(
        "figure",
        tag("figcaption", tag("strong", figure.title), tag("p", figure.about)),
        tag("ul", *swatches, class_="legend") if swatches else "",
        tag(
            "div",
            *(
                tag("div", Markup(panel_svg(panel, f"{name}-{at}")))
                for at, panel in enumerate(figure.panels, 1)
            ),
            class_=f"panels {figure.name}",
        ),
        *(tag("p", note, class_="note") for note in figure.notes),
        fold(
            f"The numbers as a table ({len(figure.rows)} rows)",
            table(figure.title, figure.head, figure.rows, class_="numbers", hide_caption=True),
        ),
        id=name,
    )
