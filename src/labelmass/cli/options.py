"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import click

from labelmass._ranges import COUNT, DRAWS, LABEL_PERMUTATIONS, SAMPLES, SEED, SHARE, WHOLE
from labelmass._settings import REQUIRED, setting
from labelmass._types import Normalisation
from labelmass.calibration.registry import CALIBRATION_METHODS
from labelmass.cli import completions
from labelmass.cli.records import read_demonstrations
from labelmass.targets import GOLD
from labelmass.task.formats import LIST_FORMATS
from labelmass.task.labels import LABEL_PERMUTATIONS as LABEL_ORDERS
from labelmass.task.record import Fields

if TYPE_CHECKING:
    from labelmass.task import Task


def split_names(words: tuple[str, ...]) -> tuple[str, ...]:
    """Names given one at a time, or several with commas."""
    names = (name.strip() for word in words for name in word.split(","))
    return tuple(name for name in names if name)


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """Options of the task: its name, or only its labels."""

    section: ClassVar[str] = "Task and prompt"

    task: str | None = setting(
        None,
        "Preset (see `labelmass list tasks`) or TOML file of the task.",
        "--task",
        "-t",
        metavar="TASK",
        complete=completions.tasks,
    )
    guard: str | None = setting(
        None,
        "Guard model's own prompt and answer, in place of a task: a name (see `labelmass list "
        "guards`), a profile's file, or auto for the one that the model is.",
        metavar="GUARD",
        complete=completions.guards,
    )
    accept_template: bool = setting(
        False, "Ask a guard through a chat template that is not its makers'."
    )
    labels: tuple[str, ...] = setting(
        (),
        "Labels, with commas, in place of a task; may be repeated.",
        metavar="LABELS",
        parse=split_names,
    )

    @property
    def names_none(self) -> bool:
        return self.task is None and not self.labels and self.guard is None

    def load(self, models: Sequence[str | None] = ()) -> Task:
        """The task or guard that is named, or the task made of the labels.

        models: those that it is asked of, which say what guard `auto` is.
        UsageError unless it is one of the three.
        """
        from labelmass.task import Task

        if self.guard is not None:
            return self._load_guard(self.guard, models)
        if self.accept_template:
            raise click.UsageError("--accept-template is of a guard: name one with --guard")
        if self.labels and self.task is not None:
            raise click.UsageError("--task has labels of its own: give --task or --labels")
        if self.task is not None:
            return Task.load(self.task)
        if self.labels:
            return Task.from_labels(self.labels)
        raise click.UsageError(
            "name a task, such as --task emotions (see `labelmass list tasks`), or your labels, "
            "such as --labels 'billing,bug report'"
        )

    def _load_guard(self, name: str, models: Sequence[str | None]) -> Task:
        from labelmass.task.guard import Guard

        if self.labels or self.task is not None:
            raise click.UsageError("--guard has labels of its own: leave out --task and --labels")
        if name != "auto":
            guard = Guard.load(name)
        elif len(models) == 1 and models[0] is not None:
            guard = Guard.for_model(models[0])
        else:
            raise click.UsageError(
                "--guard auto goes by the name of one --model: name the guard (see `labelmass list "
                "guards`)"
            )
        return guard.accepting_any_template() if self.accept_template else guard


@dataclass(frozen=True, kw_only=True)
class PromptOptions(TaskOptions):
    """Options of the prompt; None keeps what the task says."""

    question: str | None = setting(
        None, "Question about the labels, for a task without an instruction of its own."
    )
    format: str | None = setting(
        None,
        "Form of the answer, for a task without an instruction of its own. Default: chosen for the "
        "model.",
        choices=LIST_FORMATS,
    )
    demonstrations: int | None = setting(
        None,
        "Number of demonstrations to show.",
        "--demonstrations",
        "-k",
        within=WHOLE,
        metavar="K",
    )
    demonstrations_file: str | None = setting(
        None,
        "File of records with `labels` to show as demonstrations, all or K of them, in place of "
        "the task's own; leave these out of what you judge by.",
        path="file",
    )
    multi_share: float | None = setting(
        None,
        "Share of demonstrations with two labels or more; the others have exactly one.",
        within=SHARE,
        metavar="SHARE",
    )
    choice: Literal["random", "similar"] | None = setting(
        None,
        "Demonstrations drawn at random, the same for all records, or those most similar to each.",
    )
    label_order: str | None = setting(
        None, "Order of the labels in the prompt.", choices=LABEL_ORDERS
    )
    seed: int | None = setting(
        None, "Seed of shuffled labels and drawn demonstrations.", within=SEED
    )
    chat: bool | None = setting(
        None, "Prompt through the chat template, or as plain text.", "--chat/--no-chat"
    )
    opening: Literal["given", "written"] | None = setting(
        None, "Give the model the fixed opening of the answer, or let it write the opening."
    )

    def put(self, task: Task, fields: Fields | None = None) -> Task:
        """The task, put as the options say.

        fields: names of text and labels in a file of demonstrations.
        """
        named = type(self)(
            task=self.task,
            labels=self.labels,
            guard=self.guard,
            accept_template=self.accept_template,
        )
        if self == named:
            return task
        own = {"question": self.question, "format": self.format}
        if own := {key: value for key, value in own.items() if value is not None}:
            if not task.open_keys:
                raise click.UsageError(
                    f"task {task.name!r} has an instruction of its own, so --{min(own)} would not "
                    "be heard: change the task file"
                )
            task = task.with_keys(**own)
        examples = None
        if self.demonstrations_file is not None:
            examples = read_demonstrations(self.demonstrations_file, fields or Fields())
        return task.with_options(
            k=self.demonstrations,
            demonstrations=examples,
            multi_share=self.multi_share,
            choice=self.choice,
            label_order=self.label_order,
            seed=self.seed,
            chat=self.chat,
            opening=self.opening,
        )


DType = Literal["float32", "bfloat16", "float16"]


def _device() -> str | None:
    return setting(
        None,
        "Device to load the model on: cpu, cuda, cuda:1, or auto to shard it over all GPUs.",
        metavar="DEVICE",
        complete=completions.devices,
    )


def _dtype() -> DType | None:
    return setting(
        None,
        "Precision of the weights. Default: float32 on a CPU, the model's own on a GPU. bfloat16 "
        "is about three times faster on a CPU that supports it, and moves likely labels by 0.02 to "
        "0.03.",
    )


def tokenizer_setting() -> str | None:
    return setting(
        None,
        "Tokenizer of a model behind a URL: hub id, folder or GGUF file. Default: that of the "
        "model that the server names.",
        metavar="MODEL",
        complete=completions.models,
    )


def served_model_setting() -> str | None:
    return setting(
        None, "Name of the model behind a URL, where several are served.", metavar="NAME"
    )


def _max_requests() -> int | None:
    return setting(
        None,
        "Stop after N requests to a server; the same command with more goes on.",
        within=COUNT,
        metavar="N",
    )


@dataclass(frozen=True, kw_only=True)
class LocalModelOptions:
    """A model that must run in this process, for its weights or states are needed."""

    section: ClassVar[str] = "Model"

    model: str | None = setting(
        None,
        "Hub id, folder or GGUF file. Default: the embedded SmolLM2-135M-Instruct.",
        "--model",
        "-m",
        metavar="MODEL",
        complete=completions.models,
    )
    device: str | None = _device()
    dtype: DType | None = _dtype()


@dataclass(frozen=True, kw_only=True)
class ModelOptions(LocalModelOptions):
    """A model; what it says beside the name is what `labelmass.load` takes."""

    model: str | None = setting(
        None,
        "Hub id, folder, GGUF file, or URL of a server such as vllm:http://localhost:8000. "
        "Default: the embedded SmolLM2-135M-Instruct.",
        "--model",
        "-m",
        metavar="MODEL",
        complete=completions.models,
    )
    tokenizer: str | None = tokenizer_setting()
    served_model: str | None = served_model_setting()
    max_requests: int | None = _max_requests()


@dataclass(frozen=True, kw_only=True)
class ModelsOptions:
    """Models, each as `ModelOptions` says."""

    section: ClassVar[str] = "Model"

    models: tuple[str, ...] = setting(
        (),
        "Hub id, folder, GGUF file, or URL of a server; may be repeated. Default: the embedded "
        "SmolLM2-135M-Instruct.",
        "--model",
        "-m",
        metavar="MODEL",
        complete=completions.models,
    )
    device: str | None = _device()
    dtype: DType | None = _dtype()
    tokenizer: str | None = tokenizer_setting()
    served_model: str | None = served_model_setting()
    max_requests: int | None = _max_requests()


AnyModelOptions = LocalModelOptions | ModelsOptions


@dataclass(frozen=True, kw_only=True)
class CuttingOptions:
    section: ClassVar[str] = "Records"

    max_text_tokens: int | None = setting(
        None,
        "Show at most the first N tokens of a text; results say which texts were cut.",
        within=COUNT,
        metavar="N",
    )


def normalise_setting() -> Normalisation:
    """--normalise."""
    return setting(
        Normalisation.RAW,
        "Probability as the model writes, given that the answer parses, or as constrained decoding "
        "samples.",
    )


@dataclass(frozen=True, kw_only=True)
class BaseMethodOptions:
    """Options that choose methods and how they read the trees."""

    section: ClassVar[str] = "Methods"

    methods: tuple[str, ...] = setting(
        (),
        "Method that reads the tree (see `labelmass list methods`); may be repeated, or list "
        "several with commas. Default: any-place; in compare, all that read the one tree.",
        "--method",
        metavar="NAME",
        parse=split_names,
        complete=completions.methods,
    )
    normalise: Normalisation = normalise_setting()
    samples: int | None = setting(
        None, "Number of answers drawn, for methods that sample.", within=SAMPLES
    )
    label_permutations: int = setting(
        1, "Number of label orders in the prompt to average over.", within=LABEL_PERMUTATIONS
    )
    rules: tuple[str, ...] = setting(
        (),
        "Also select labels by an uncertainty rule from `labelmass fit rule`; may be repeated.",
        "--rule",
        path="file",
    )
    probes: tuple[str, ...] = setting(
        (),
        "Also score by a probe of this model from `labelmass fit probe`; may be repeated.",
        "--probe",
        path="folder",
    )
    encoders: tuple[str, ...] = setting(
        (),
        "Also score by a text classifier from `labelmass fit encoder`; may be repeated.",
        "--encoder",
        path="folder",
    )


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    section: ClassVar[str] = "Run"

    batch_size: int = setting(16, "Number of records explored side by side.", within=COUNT)
    overwrite: bool = setting(False, "Start again where another run left its work.")


@dataclass(frozen=True, kw_only=True)
class RunOptions(BatchOptions):
    limit_records: int | None = setting(
        None,
        "Score only the first N records; the same command without this goes on.",
        within=COUNT,
        metavar="N",
    )
    limit: int | None = setting(
        None, "Largest number of prompts; refuse to start if the run needs more.", within=COUNT
    )
    dry_run: bool = setting(False, "Print the first prompt and the forecast, and ask nothing.")
    strict: bool = setting(False, "Exit with 2 if any record failed or missed the tolerance.")


@dataclass(frozen=True, kw_only=True)
class ScoresByOptions:
    section: ClassVar[str] = "Scores"

    scores_by: str | None = setting(
        None,
        "Method whose scores are taken if there are several. Default: the first.",
        metavar="METHOD",
        complete=completions.method,
    )


@dataclass(frozen=True, kw_only=True)
class CalibratorOptions(ScoresByOptions):
    calibrator: str | None = setting(
        None,
        "Calibrator from `labelmass calibrate` to apply to the scores, unless it was applied "
        "already.",
        path="file",
    )
    force: bool = setting(False, "Take scores of another kind than expected.")


def _gold() -> str:
    return setting(
        "given",
        "Rule that makes a gold set, from the record's `labels` or its annotators.",
        choices=tuple(GOLD),
    )


def _soft(default: bool) -> bool:
    return setting(
        default,
        "Fit to annotator shares if there are any, or to gold sets.",
        "--soft/--gold-targets",
    )


@dataclass(frozen=True, kw_only=True)
class AnnotationOptions:
    """Human labels, as fitting takes them."""

    section: ClassVar[str] = "Human labels"

    gold: str = _gold()
    soft: bool = _soft(True)
    group: str = setting(
        "group",
        "Field whose equal values mark records that belong together and are never divided.",
        metavar="FIELD",
    )


@dataclass(frozen=True, kw_only=True)
class TargetsOptions(AnnotationOptions):
    """The same, of records whose scores are in another file."""

    targets: str = setting(
        REQUIRED, "Records with human labels.", metavar="DATA", complete=completions.files
    )


@dataclass(frozen=True, kw_only=True)
class GoldTargetsOptions(TargetsOptions):
    """The same, gold sets unless annotator shares are asked for."""

    soft: bool = _soft(False)


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Options of an evaluation."""

    section: ClassVar[str] = "Judgement"

    gold: str = _gold()
    threshold: float = setting(
        0.5, "Probability from which a label is given.", within=SHARE, metavar="P"
    )
    baseline: str | None = setting(
        None,
        "Method that all others are compared with.",
        metavar="METHOD",
        complete=completions.method,
    )
    metrics: tuple[str, ...] = setting(
        (),
        "Metric to compute; may be repeated. Default: all that apply.",
        "--metric",
        metavar="NAME",
        complete=completions.metrics,
    )
    draws: int = setting(2000, "Number of bootstrap draws.", within=DRAWS)


def calibration_method_setting(default: str | None) -> str | None:
    """--calibration-method."""
    *kinds, auto = CALIBRATION_METHODS
    return setting(
        default,
        f"Kind of calibrator: {', '.join(kinds)}; or {auto} for the best on 5 folds, judged on "
        "records it was not fitted on.",
        choices=CALIBRATION_METHODS,
        metavar="KIND",
    )


def gold_field_setting() -> str:
    """--gold-field."""
    return setting("labels", "Field of the records that holds the true labels.", metavar="FIELD")


@dataclass(frozen=True, kw_only=True)
class JsonOptions:
    section: ClassVar[str] = "Output"

    json: bool = setting(False, "Print JSON.")
