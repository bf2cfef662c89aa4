"""Checks of a guard against the model that it is to be asked of, before anything is scored."""

from __future__ import annotations

from collections.abc import Iterator

from labelmass._types import Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget
from labelmass.errors import ModelError, RecordError
from labelmass.lm.base import LanguageModel
from labelmass.scoring.explorer import ExploredRecord, Explorer
from labelmass.task import Record
from labelmass.task.guard import Guard

MIN_VERDICT = 0.5
"""Mass that must give a verdict for a plain text, below which the model is warned of."""


def check_template(guard: Guard, model: LanguageModel) -> None:
    """ModelError where the makers' template is known, and the model's is another.

    One that writes other words asks another question. `Guard.accept_template` overrules.
    """
    digest: str | None = getattr(model.tokenizer, "template_digest", None)
    if guard.accept_template or not guard.template_digests or digest in guard.template_digests:
        return
    raise ModelError(
        f"the chat template of {model.name} ({digest or 'none'}) is not the one that guard "
        f"{guard.name} was made for ({', '.join(guard.template_digests)}): take the model's "
        "published template, another guard, or accept it with --accept-template"
    )


def self_test_warnings(guard: Guard, model: LanguageModel) -> tuple[str, ...]:
    """Warnings of a guard that does not tell its two plain texts apart; costs two records.

    Only where the prompt was not compared with the model's published one.
    """
    known = guard.is_verified_for(model.name)
    if known or guard.self_test is None or "prompt" not in guard.judges:
        return ()
    return tuple(_warnings(guard, model))


def _warnings(guard: Guard, model: LanguageModel) -> Iterator[str]:
    assert guard.self_test is not None
    texts = guard.self_test.safe, guard.self_test.unsafe
    explorer = Explorer(model, guard, budget=Budget(tolerance=0.05))
    found: list[ExploredRecord] = []
    for _, _, outcome in explorer.explore(
        enumerate(Record(at, text=t) for at, t in enumerate(texts))
    ):
        if isinstance(outcome, RecordError):
            yield f"guard {guard.name}: its self-test could not be read: {outcome}"
            return
        found.append(outcome)
    found.sort(key=lambda one: int(one.record.id))
    given = min(_verdict(one) for one in found)
    if given < MIN_VERDICT:
        yield (
            f"guard {guard.name} is not verified for {model.name}, which gives a verdict on plain "
            f"texts with {given:.0%} of the mass only: see `labelmass explain`"
        )
    safe, unsafe = (_risk(one) for one in found)
    if not unsafe > safe:
        yield (
            f"guard {guard.name} is not verified for {model.name}, which finds a plainly unsafe "
            f"text no more of a risk ({unsafe:.2f}) than a plain one ({safe:.2f}): do not rely on "
            "it"
        )


def _verdict(explored: ExploredRecord) -> float:
    """The least mass of its trees that gives any verdict."""
    verdicts = (Marginals(tree).verdict for tree in explored.trees.values())
    return min((v.low or 0.0 for v in verdicts if v is not None), default=0.0)


def _risk(explored: ExploredRecord) -> float:
    """The largest risk of its trees, given that a verdict can be read."""
    readings = (Marginals(tree, Normalisation.ON_FORMAT) for tree in explored.trees.values())
    risks = (one.verdict_prefix for one in readings)
    return max((risk.p or 0.0 for risk in risks if risk is not None), default=0.0)
