"""Training from start to end: data, model, loop, and the folder that is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labelmass.errors import LabelMassError, ModelError
from labelmass.lm import embedded
from labelmass.task import Task
from labelmass.task.record import Fields
from labelmass.training.balance import inverse_frequency
from labelmass.training.progress import Epoch, Progress
from labelmass.training.settings import Settings

if TYPE_CHECKING:
    from labelmass.lm.tokenizer import HFTokenizer
    from labelmass.lm.transformers import TransformersModel
    from labelmass.training.dataset import Dataset, Skipped, Source
    from labelmass.training.examples import Example

Stop = Callable[[], bool]
Watch = Callable[[Progress, int, str], None]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Result of a training.

    Attributes:
        finished: True if the model is in the folder; otherwise the same call resumes.
        metric, best: Metric of the validation, and number of the best epoch, which was kept.
        tokens, answer_tokens: Number put through the model, and of those learnt.
        seconds: Duration of training.
        validation_seconds: Duration of validation.
    """

    folder: Path
    finished: bool
    records: int
    skipped: tuple[Skipped, ...]
    metric: str | None
    best: int | None
    epochs: tuple[Epoch, ...]
    steps: int
    tokens: int
    answer_tokens: int
    seconds: float
    validation_seconds: float

    def __str__(self) -> str:
        state = "finished" if self.finished else "not finished"
        text = f"{self.folder}: {state}, {self.records} records, {self.steps} steps"
        if self.best is not None:
            best = self.epochs[self.best]
            told = "" if best.validation is None else f", dev {self.metric} {best.validation:.4f}"
            text += f", best epoch {self.best + 1} (loss {best.loss:.4f}{told})"
        return f"{text}, {self.tokens:,} tokens in {self.seconds:.0f} s"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the folder and what was skipped."""
        return {
            "records": self.records,
            "skipped": len(self.skipped),
            "metric": self.metric,
            "best": self.best,
            "epochs": [epoch.to_dict() for epoch in self.epochs],
            "steps": self.steps,
            "cost": {
                "tokens": self.tokens,
                "answer_tokens": self.answer_tokens,
                "seconds": self.seconds,
                "validation_seconds": self.validation_seconds,
            },
        }


def train(
    data: Source,
    task: Task | str | Path,
    model: str | None = None,
    *,
    out: str | Path,
    dev: Source | None = None,
    fields: Fields | None = None,
    settings: Settings | None = None,
    demonstrations: int = 0,
    device: str | None = None,
    dtype: str | None = None,
    revision: str | None = None,
    save_every: int = 50,
    stop: Stop = lambda: False,
    watch: Watch = lambda progress, steps, doing: None,
) -> TrainingResult:
    """Teach a model to write the answers of a task; `labelmass.load(out)` is the model.

    Args:
        data: A file, or records, with `annotators`, `labels` or `distribution`.
        dev: Records to validate on; by default a share of the data.
        fields: Names of the text and id fields in files.
        task: A `Task`, a preset's name or a task file.
        model: As `labelmass.load` takes them, but that all weights are trained in float32 by
            default.
        device: See `model`.
        dtype: See `model`.
        revision: See `model`.
        demonstrations: Number that the prompts show, in training and in the task that is saved.
        out: A folder. A training that was stopped there, with the same arguments, goes on as if it
            had not been; one that is finished is left as it is.
        save_every: Steps from one checkpoint to the next.
        stop: Asked between steps.
        watch: Gets, after each, where it stands, the most steps there will be, and what it is
            doing; first, what of.

    Raises:
        TaskError, ModelError, LabelMassError: If nothing can be learnt.
    """
    from labelmass.lm.load import load_here
    from labelmass.records import count_records

    settings, folder = settings or Settings(), Path(out)
    if str(folder) == embedded.NAME:
        raise LabelMassError(f"{out} is the name of a built-in model: choose another folder")
    task = Task.of(task)
    task = task.with_options(k=demonstrations)
    if dtype is None and settings.full:
        dtype = "float32"
    if dtype == "float16":
        raise LabelMassError("training in float16 overflows: take float32 or bfloat16")
    for source in (data, dev):
        if isinstance(source, str | Path):
            count_records(source, fields)  # is it there? a model takes long to load
    base = load_here(model, device=device, dtype=dtype, revision=revision)
    if base.dtype == "float16":
        raise LabelMassError(
            f"{base.name} is in float16, in which training overflows: take dtype float32 or "
            "bfloat16"
        )
    import torch

    from labelmass.training import adapter, saved
    from labelmass.training.dataset import Dataset
    from labelmass.training.examples import Examples
    from labelmass.training.loop import Loop
    from labelmass.training.validation import Validation

    adapter.check_rank(base.network, settings)
    examples = Examples(task, base.tokenizer, settings, base.context)
    dataset = Dataset.make(data, dev, task, examples, settings, fields)
    validation = Validation(task, dataset.dev, settings) if dataset.dev else None
    metric = None if validation is None else validation.metric
    note = saved.begin(folder, _head(task, model, revision, base, settings, dataset), dataset)
    if note["result"] is not None:
        return _finished(folder, note["result"], dataset)
    where = base.network.device
    with torch.random.fork_rng([where] if where.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        network, adapted = _trainable(base, settings)
        loop = Loop(
            network,
            base.tokenizer,
            examples,
            dataset.pairs,
            _weights(dataset, task, settings),
            validation,
            settings,
            folder,
            save_every=save_every,
        )
        watch(
            loop.progress, loop.steps, f"{len(dataset.pairs)} records, {len(dataset.dev)} held out"
        )
        done = loop.run(stop, lambda progress, doing: watch(progress, loop.steps, doing))
    result = _result(folder, done, dataset, metric, loop.progress)
    if done:
        _save_model(folder, base, adapted, note)
        saved.draw_curve(folder, loop.progress, metric)
        saved.finish(folder, note, {"version": version("labelmass"), **result.to_dict()})
        loop.forget()
    return result


def _head(
    task: Task,
    model: str | None,
    revision: str | None,
    base: TransformersModel,
    settings: Settings,
    data: Dataset,
) -> dict[str, Any]:
    """Identity of a training; all of it must agree for it to be resumed."""
    asked = model or embedded.NAME
    if asked != embedded.NAME and Path(asked).expanduser().exists():
        asked = str(Path(asked).expanduser().resolve())
    return {
        "kind": "full" if settings.full else "adapter",
        "task": task.to_dict(),
        "base": {
            "asked": asked,
            "name": base.name,
            "revision": revision,
            "fingerprint": base.fingerprint,
            "tokenizer": base.tokenizer.fingerprint,
            "dtype": base.dtype,
        },
        "settings": settings.to_dict(),
        "data": data.digest(),
    }


def _trainable(base: TransformersModel, settings: Settings) -> tuple[Any, Any]:
    """The network, its trainable weights marked, and the peft model around it, if any."""
    if settings.full:
        base.network.requires_grad_(True)
        return base.network, None
    from labelmass.training import adapter

    adapted = adapter.attach(base.network, settings)
    return adapted.get_base_model(), adapted


def _weights(data: Dataset, task: Task, settings: Settings) -> list[float]:
    if settings.balance == "none":
        return [1.0] * len(data.pairs)

    def answers(one: Example) -> dict[tuple[str, ...], float]:
        if one.votes:
            return {vote: n / len(one.votes) for vote, n in Counter(one.votes).items()}
        shares = dict(zip(task.label_names, one.shares, strict=True))
        if task.format.single:
            whole = sum(one.shares)
            return {(label,): share / whole for label, share in shares.items() if share}
        return {tuple(label for label, share in shares.items() if share >= 0.5): 1.0}

    return inverse_frequency([answers(one) for _, one in data.pairs])


def _save_model(folder: Path, base: TransformersModel, adapted: Any, note: dict[str, Any]) -> None:
    if adapted is None:
        from labelmass.lm.sources import quiet

        try:
            with quiet():
                base.network.save_pretrained(folder)
            cast("HFTokenizer", base.tokenizer).save(folder)
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot save the model in {folder}: {error}") from error
        return
    from labelmass.training import adapter

    adapter.write(adapted, note["base"]["asked"], folder)


def _result(
    folder: Path, finished: bool, data: Dataset, metric: str | None, progress: Progress
) -> TrainingResult:
    return TrainingResult(
        folder,
        finished,
        len(data.pairs),
        data.skipped,
        metric,
        progress.best,
        tuple(progress.epochs),
        progress.step,
        progress.tokens,
        progress.answer_tokens,
        round(progress.seconds, 3),
        round(progress.validation_seconds, 3),
    )


def _finished(folder: Path, result: dict[str, Any], data: Dataset) -> TrainingResult:
    """Result of a training that an earlier call finished."""
    return TrainingResult(
        folder,
        True,
        result["records"],
        data.skipped,
        result["metric"],
        result["best"],
        tuple(Epoch(**one) for one in result["epochs"]),
        result["steps"],
        **result["cost"],
    )
