"""Setup of a run: task, prompts and models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labelmass.present.tables import Table, number
from labelmass.provenance import Signature
from labelmass.reporting.report_data import Model, ReportData


def setup(run: ReportData) -> dict[str, Any]:
    """Task, labels, prompt, models, and what the numbers depend on."""
    task = run.task
    labels = [
        [label.name, label.description or "", " / ".join(label.spellings)] for label in task.labels
    ]
    return {
        "facts": list(_facts(run)),
        "labels": Table("Labels", ["label", "description", "written as"], labels),
        "instruction": task.instruction.strip(),
        "record": run.first.id,
        "prompt": task.prompt(run.first),
        "models": Table("Models", ["model", *_MODEL], [_model(model) for model in run.models]),
        "signatures": [model.signature for model in run.models],
    }


def _facts(run: ReportData) -> Iterator[tuple[str, str]]:
    task, comparison = run.task, run.comparison
    yield "Task", f"{task.name}: {task.description}" if task.description else task.name
    yield "Answer format", f"{task.format.name}, {'one label' if task.format.single else 'any set'}"
    if len(task.passes) > 1:
        yield (
            "Answers",
            f"one to each of {len(task.labels)} labels, which is asked about by itself; the prompt "
            f"below is about {task.label_names[0]}. How labels are written one after another, and "
            "which come together, is left out: both are of one answer to all labels.",
        )
    shown = task.demonstrations.choose(task.seed, None if _same(run) else run.first)
    several = sum(len(one.labels) > 1 for one in shown)
    about = f"{len(shown)}, of which {several} with two labels or more" if shown else "none"
    yield "Demonstrations", about if _same(run) else f"{about}; others for each record"
    groups = comparison.get("groups")
    yield "Records", f"{comparison['items']}" + (f" in {groups} groups" if groups else "")
    raters = run.targets.raters
    if raters.any():
        mean = raters[raters > 0].mean()
        yield "Annotators", f"{mean:.2g} a record on average, {int((raters > 0).sum())} records"
    yield "Gold rule", comparison["rules"]["gold"]
    yield "Label sets", comparison["rules"]["sets"]
    yield "Probabilities", f"{comparison['normalisation']}: {_MEANS[comparison['normalisation']]}"
    yield "Intervals", comparison["rules"]["intervals"]


def _same(run: ReportData) -> bool:
    return not run.task.demonstrations.varies


_MEANS = {
    "raw": "as the model generates",
    "on-format": "given that the answer parses",
    "masked": "as constrained decoding samples",
}


_MODEL = ("fingerprint", "engine", "dtype", "tolerance", "most rows", "labelmass")


def _model(one: Model) -> list[str]:
    signature: Signature = one.signature
    return [
        signature.model,
        signature.fingerprint,
        signature.engine,
        signature.dtype,
        number(signature.tolerance),
        str(signature.max_nodes),
        signature.version,
    ]
