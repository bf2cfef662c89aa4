"""Choice of a prompt that keeps a model in the answer format, for a task that leaves it open.

Candidates are tried on short texts that come with the package and need no labels of anyone: what
share of the answers to plain texts can be read, and whether a sentence that names one label gets
that label and no other. The choice depends on model and task alone, and is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import product
from math import fsum, log
from pathlib import Path
from statistics import fmean
from typing import Any

from labelmass.answers.search import Budget
from labelmass.artifacts import ArtifactKind
from labelmass.errors import LabelMassError, ModelError, RecordError
from labelmass.files import shaped
from labelmass.lm.base import LanguageModel
from labelmass.lm.gguf import cache_folder
from labelmass.scores import Failure
from labelmass.scoring.plan import Plan
from labelmass.task import Record, Task
from labelmass.task.default_prompt import label_demonstrations
from labelmass.task.keys import format_of, format_table

_LOG = logging.getLogger("labelmass")

KIND = ArtifactKind("prompt choice")

BUDGET = Budget(tolerance=0.05, max_nodes=48)
"""Of the tree of a text that candidates are tried on."""

TEXTS = (
    "The meeting was moved to Thursday because half of the team is ill.",
    "I have been using it for a month now and would not want to be without it.",
    "Could you please tell me when the office opens on Saturdays?",
    "They promised to call back on Monday and nobody ever did!",
    "My brother has bought a second-hand bicycle and repaired it himself.",
)
"""Plain texts of several kinds."""

LABEL_TEXT = "Here is something about {}."
MAX_LABEL_TEXTS = 5

_LAYOUT = {"record": "Text: {text}", "answer_cue": "\nLabels: "}
"""How records and answers are marked in every candidate; the cue is of plain text."""

MIN_SHARE = 1e-6
"""Smallest probability that a trial tells from 0."""

AT_ONCE = 4
"""Texts of a trial explored together; the fewer, the sooner a losing prompt is given up."""

BEHIND = "another prompt is better, whatever this one does on the texts that are left"


@dataclass(frozen=True, slots=True)
class PromptTrial:
    """One candidate.

    Attributes:
        prompt: In words.
        on_format: Mean probability that an answer can be read, over `TEXTS`.
        own_label: Mean probability of the label that a text names.
        score: Mean log-likelihood in nats, larger is better: of a readable answer to a plain text,
            and of exactly its own label for a text that names one. None where the prompt cannot be
            put to the model, or was given up because another one is better; `problem` says which.
    """

    prompt: str
    on_format: float
    own_label: float
    score: float | None
    problem: str = ""


Watch = Callable[[Iterator[PromptTrial], int], Iterable[PromptTrial]]
"""Shows the progress of so many steps."""


def folder() -> Path:
    """Where trials are kept."""
    return cache_folder() / "prompts"


def choose_prompt(
    task: Task,
    model: LanguageModel,
    *,
    watch: Watch = lambda steps, total: steps,
    say: Callable[[str], None] = _LOG.info,
) -> Task:
    """The task with a prompt that holds this model; the task itself if it leaves nothing open.

    Args:
        watch: As for `try_prompts`, which also says where trials are kept.
        say: Gets the choice in one line.
    """
    if not task.open_keys:
        return task
    candidates = prompt_candidates(task, chat=model.tokenizer.has_chat_template)
    if len(candidates) == 1:
        return candidates[0]
    trials = try_prompts(candidates, model, watch=watch)
    best = best_trial(trials)
    say(
        f"prompt: {best.prompt}, the best of {len(trials)} for this model; it answers plain texts "
        f"in this form with probability {best.on_format:.2f} (--format overrules)"
    )
    return candidates[trials.index(best)]


def prompt_candidates(task: Task, *, chat: bool) -> tuple[Task, ...]:
    """The task with every combination of what it leaves open, each once.

    Args:
        chat: Whether the model has a chat template.
    """
    open_keys = task.open_keys
    options: dict[str, Sequence[Any]] = {}
    if "format" in open_keys:
        options["format"] = [{"kind": "comma"}, {"kind": "json", "key": "labels"}]
    if "chat" in open_keys:
        options["chat"] = [True, False] if chat else [False]
    if "demonstrations" in open_keys:
        options["demonstrations"] = ["none", "labels"]
    results: dict[str, Task] = {}
    for values in product(*options.values()):
        keys = dict(zip(options, values, strict=True))
        if keys.get("demonstrations") == "labels":
            form = format_of(format_table(keys.get("format", task.format_table)))
            keys["demonstrations"] = label_demonstrations(task.labels, form)
        elif "demonstrations" in keys:
            keys["demonstrations"] = []
        layout = {key: text for key, text in _LAYOUT.items() if key not in task.given_keys}
        candidate = task.with_keys(**layout, **keys)
        if "opening" in open_keys:
            opening = "given" if candidate.format.opening else "written"
            candidate = candidate.with_keys(opening=opening)
        results[candidate.hash] = candidate
    return tuple(results.values())


def best_trial(trials: Iterable[PromptTrial]) -> PromptTrial:
    """The trial with the best score.

    Raises:
        ModelError: If no prompt could be put to the model.
    """
    trials = list(trials)
    scored = [trial for trial in trials if trial.score is not None]
    if not scored:  # no trial was given up, for want of a better one
        raise ModelError(f"no prompt can be put to this model: {trials[0].problem}")
    return max(scored, key=lambda trial: trial.score or 0.0)


def try_prompts(
    candidates: Sequence[Task],
    model: LanguageModel,
    *,
    watch: Watch = lambda steps, total: steps,
) -> tuple[PromptTrial, ...]:
    """A trial of each candidate, in order; those that cannot be the best are given up early.

    They are read from the cache folder where they were made before, for the same model and
    candidates, and kept there otherwise.

    Args:
        watch: Gets the trials as they are made, and how many there are.
    """
    path = folder() / f"{_digest(candidates, model)}.json"
    trials = load_trials(path)
    if trials is None or len(trials) != len(candidates):
        # Prompts with demonstrations are more often the best ones: the others end the sooner.
        order = sorted(
            range(len(candidates)), key=lambda at: not candidates[at].demonstrations.examples
        )
        steps = _until_beaten([candidates[at] for at in order], model)
        made = tuple(watch(steps, len(candidates)))
        trials = tuple(made[order.index(at)] for at in range(len(candidates)))
        _save(path, trials, model)
    return trials


def _until_beaten(candidates: Sequence[Task], model: LanguageModel) -> Iterator[PromptTrial]:
    """A trial of each candidate, given up where it is sure to be worse than one before it."""
    best: float | None = None
    for candidate in candidates:
        trial = try_prompt(candidate, model, to_beat=best)
        if trial.score is not None and (best is None or trial.score > best):
            best = trial.score
        yield trial


def try_prompt(task: Task, model: LanguageModel, *, to_beat: float | None = None) -> PromptTrial:
    """How well a prompt holds the model, on texts that need no labels of anyone.

    Args:
        to_beat: Score below which the trial is of no use and ends; None to try all texts.
    """
    try:
        return _try(task, model, to_beat)
    except LabelMassError as error:  # a chat template refuses it, or the context is too short
        return PromptTrial(task.prompt_style, 0.0, 0.0, None, str(error))


def _try(task: Task, model: LanguageModel, to_beat: float | None) -> PromptTrial:
    plan = Plan(task, ("any-place",), budget=BUDGET)
    signature = plan.signature(model)
    explorer = plan.explorer(model, batch_size=AT_ONCE)
    named = task.labels[:: -(-len(task.labels) // MAX_LABEL_TEXTS)]
    label_texts = [LABEL_TEXT.format(label.description or label.name) for label in named]
    # Prompts differ most in the texts that name a label.
    records = [(key, Record(id=key, text=text)) for key, text in enumerate((*label_texts, *TEXTS))]
    own: dict[int, float] = {}
    on_format: dict[int, float] = {}
    scores: dict[int, float] = {}
    with closing(explorer.explore(records)) as explored:
        for key, _, outcome in explored:
            if isinstance(outcome, RecordError):
                raise outcome
            result = plan.read(outcome, signature)
            if isinstance(result, Failure):
                raise RecordError(result.error)
            if key < len(named):
                p = {name: result[name].p or 0.0 for name in task.label_names}
                own[key] = p.pop(named[key].name)
                others = () if task.format.single else p.values()
                scores[key] = _log(own[key]) + sum(_log(1 - other) for other in others)
            else:
                on_format[key] = 1 - result.off_format
                scores[key] = _log(on_format[key])
            if to_beat is not None and _mean(scores, len(records)) < to_beat:
                return PromptTrial(task.prompt_style, 0.0, 0.0, None, BEHIND)
    means = fmean(on_format.values()), fmean(own.values())
    return PromptTrial(task.prompt_style, *means, _mean(scores, len(records)))


def _log(share: float) -> float:
    return log(min(max(share, MIN_SHARE), 1.0))


def _mean(scores: Mapping[int, float], count: int) -> float:
    """Mean of `count` scores, the best that it can be while some are not known: none is above 0.

    It does not depend on the order in which they come.
    """
    return fsum(scores.values()) / count


def _digest(candidates: Sequence[Task], model: LanguageModel) -> str:
    """Of all that the choice depends on."""
    texts = [KIND.mark, model.fingerprint, model.dtype, *TEXTS, LABEL_TEXT]
    texts += [candidate.hash for candidate in candidates]
    return sha256("\n".join(texts).encode()).hexdigest()[:16]


def load_trials(path: Path) -> tuple[PromptTrial, ...] | None:
    """The trials that a file holds; None where it is not there, or damaged."""
    try:
        return KIND.load(path, lambda data: shaped(_Stored, data).trials)
    except LabelMassError:
        return None


def _save(path: Path, trials: Sequence[PromptTrial], model: LanguageModel) -> None:
    """Keep the trials; without a word where the cache cannot be written."""
    data = {"model": f"{model.name}@{model.fingerprint}", "trials": [*map(asdict, trials)]}
    with suppress(LabelMassError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        KIND.save(path, data)


@dataclass(frozen=True, slots=True)
class _Stored:
    trials: tuple[PromptTrial, ...]
    model: str = ""
    kind: str = ""
