"""The lines at the end of a scoring run that say what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from labelmass.cli.options import TaskOptions
from labelmass.scores.notices import MUCH_OFF_FORMAT
from labelmass.scoring.shortfall import Shortfall

PLACEHOLDER = "LABELLED"
"""Stands for a file of records with human labels."""


def next_steps(
    short: Shortfall,
    task: TaskOptions,
    out: str | None,
    *,
    calibrator: str | None,
    policy: str | None,
) -> Iterator[str]:
    """At most two lines: the number that matters most, and the command that comes next.

    Args:
        short: Of the run.
        task: Options that name its task; the guard by its own name, not as `auto`.
        out: File of its scores; None where they were printed.
        calibrator: File the scores went through, if any.
        policy: File that decided them, if any.
    """
    if short.scored == 0:
        return
    if out is None:  # the note below the table says what matters
        own = "; --labels with records of your own are enough for a start"
        own = "" if task.labels or task.guard is not None else own
        yield f"next: --out scores.jsonl keeps the scores and says how to calibrate them{own}"
        return
    if short.raw and short.mean_off_format > MUCH_OFF_FORMAT:
        yield (
            f"look: {short.mean_off_format:.0%} of the mass is outside the answer format, so raw "
            "probabilities are small; --normalise on-format reads the rest, "
            "`labelmass explain TEXT` shows it"
        )
    named = _task_words(task)
    file = Path(out)
    if policy is not None:
        yield (
            f"next: labelmass drift LATER_SCORES --policy {_words(policy)} warns where later "
            "scores differ from these"
        )
    elif calibrator is not None:
        yield (
            f"next: labelmass tune {_words(out)} --targets {PLACEHOLDER} {named}"
            f"--calibrator {_words(calibrator)} --goal f1 --out policy.toml"
        )
    else:
        made = _words(str(file.with_name("calibrator.json")))
        yield (
            f"next: labelmass calibrate {_words(out)} --targets {PLACEHOLDER} {named}--out {made}"
            "  (LABELLED: records with human labels)"
        )


def _task_words(task: TaskOptions) -> str:
    if task.task is not None:
        return f"--task {_words(task.task)} "
    if task.guard is not None:
        accepted = "--accept-template " if task.accept_template else ""
        return f"--guard {_words(task.guard)} {accepted}"
    return f"--labels {_words(','.join(task.labels))} " if task.labels else ""


def _words(text: str) -> str:
    return shlex.quote(text)
