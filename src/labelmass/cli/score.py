"""`labelmass score`: records in, probabilities with bounds out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import click

from labelmass._settings import setting
from labelmass.answers.search import Budget
from labelmass.cli import completions
from labelmass.cli.classifiers import load_classifiers
from labelmass.cli.declare import as_command
from labelmass.cli.exits import Exit
from labelmass.cli.models import (
    load_model,
    load_task,
    names_of,
    print_forecast,
    reject_prompt_options,
    warn_of_changes,
    warn_of_training,
)
from labelmass.cli.next_steps import next_steps
from labelmass.cli.options import (
    CuttingOptions,
    ModelOptions,
    PromptOptions,
    RunOptions,
)
from labelmass.cli.planning import MethodOptions, make_plan
from labelmass.cli.progress import say, track_progress
from labelmass.cli.prompts import show_dry_run
from labelmass.cli.records import note_source, warn_of_shown_records
from labelmass.scores import Outcome
from labelmass.scores.writers import output_writer
from labelmass.scoring.classifier_scorer import ClassifierScorer
from labelmass.scoring.plan import Plan
from labelmass.scoring.resuming import Input
from labelmass.scoring.saved_trees import SavedTrees, TreeStore, is_saved
from labelmass.scoring.scorer import Scorer
from labelmass.scoring.shortfall import Shortfall
from labelmass.scoring.to_file import Summary, say_resumed, write_read
from labelmass.task import Task
from labelmass.task.record import Fields


@dataclass(frozen=True, kw_only=True)
class Output:
    section: ClassVar[str] = "Output"

    out: str | None = setting(None, "File of scores, .jsonl, .csv or .parquet.", path="new file")
    table: bool | None = setting(
        None, "Print a table or JSON lines, if there is no --out.", "--table/--json"
    )
    keep_input: bool = setting(
        True, "Write the fields of INPUT beside the scores.", "--keep-input/--drop-input"
    )
    keep_trees: str | None = setting(None, "Folder to keep the trees in.", path="new folder")

    @property
    def as_table(self) -> bool:
        """True if results are shown to a person, not written as JSON."""
        return self.out is None and (sys.stdout.isatty() if self.table is None else self.table)


@as_command("score")
@click.argument("source", metavar="INPUT", shell_complete=completions.files)
def command(
    source: str,
    prompt: PromptOptions,
    model: ModelOptions,
    method_options: MethodOptions,
    budget: Budget,
    records: Fields,
    cutting: CuttingOptions,
    output: Output,
    run: RunOptions,
) -> None:
    """Probabilities with bounds for every label of every record of INPUT.

    INPUT is a .jsonl, .json, .csv, .xlsx, .parquet or .txt file, also packed; a folder that
    `save_to_disk` of the library datasets wrote; - for standard input; or a folder that
    --keep-trees wrote, which is read without a model. A stopped run goes on where it was. With
    --encoder alone, no model is asked.

    \b
    Examples:
      labelmass score tickets.csv --labels "billing,bug report,how-to" --text-column body
      labelmass score texts.jsonl --task emotions
      labelmass score chats.jsonl -t llama-guard-3 --normalise on-format --out scores.parquet
      labelmass score trees/ --method hard --method max-over-generations --out read.jsonl
    """
    scoring = _Scoring(source, prompt, model, method_options, budget, records, cutting, output, run)
    short = scoring.shortfall()
    steps = next_steps(
        short,
        scoring.named,
        output.out,
        calibrator=method_options.calibrator,
        policy=method_options.policy,
    )
    for line in (*short.lines(), *(steps if output.out or output.as_table else ())):
        say(line)
    if short and run.strict:
        sys.exit(Exit.FELL_SHORT)


@dataclass
class _Scoring:
    """Options of `labelmass score`, and the three ways to run it.

    named: Options that name the task; after a run, the guard that `auto` was by its own name.
    """

    source: str
    prompt: PromptOptions
    model: ModelOptions
    method_options: MethodOptions
    budget: Budget
    records: Fields
    cutting: CuttingOptions
    output: Output
    run: RunOptions

    def __post_init__(self) -> None:
        self.named: PromptOptions = self.prompt

    def shortfall(self) -> Shortfall:
        """Do it; what fell short."""
        if self._texts_alone():
            return self._score_texts()
        if not is_saved(self.source):
            return self._score()
        reject_prompt_options(
            self.source,
            self.prompt,
            self.records,
            self.cutting.max_text_tokens,
            self.run.limit_records,
        )
        if self.run.dry_run:
            raise click.UsageError("--dry-run is of prompts, and saved trees take none")
        warn_of_changes(self.source)
        return self._reread(self.source)

    def _texts_alone(self) -> bool:
        """True if only classifiers of texts are asked for."""
        method_options = self.method_options
        of_trees = (
            *(
                method_options.methods,
                self.model.model,
                method_options.probes,
                method_options.rules,
            ),
            *(
                method_options.contextual_calibration,
                method_options.calibrator,
                method_options.policy,
            ),
            *(self.output.keep_trees, self.cutting.max_text_tokens),
        )
        return bool(method_options.encoders) and not any(of_trees) and not is_saved(self.source)

    def _plan(self, task: Task, *, label_permutations: int, every_method: bool = False) -> Plan:
        return make_plan(
            task,
            self.method_options,
            self.budget,
            max_text_tokens=self.cutting.max_text_tokens,
            label_permutations=label_permutations,
            every_method=every_method,
        )

    def _reread(self, folder: str) -> Shortfall:
        saved = SavedTrees(folder)
        plan = self._plan(saved.task, label_permutations=saved.signature.label_permutations)
        model = load_model(self.model.model, self.model) if self.method_options.probes else None
        results = plan.read_trees(saved, model)
        if self.output.out is None:
            return self._show(results)
        out = Path(self.output.out)
        output_writer(out)
        return write_read(results, folder, out, keep_input=self.output.keep_input).short

    def _score(self) -> Shortfall:
        models, folder = names_of(self.model), self.output.keep_trees
        if self.output.out is not None:
            output_writer(Path(self.output.out))
        batch = self.method_options.contextual_calibration == "batch"
        if batch and folder is None:
            raise click.UsageError(
                "--contextual-calibration batch reads all records before it scores one: give "
                "--keep-trees DIR for them"
            )
        if batch and self.run.limit_records is not None:
            raise click.UsageError(
                "--contextual-calibration batch is estimated on all records: leave out "
                "--limit-records"
            )
        fields = note_source(self.source, self.records)  # before a prompt is tried for the model
        task = load_task(self.prompt, self.model, fields=self.records)
        if self.prompt.guard == "auto":
            self.named = replace(self.prompt, guard=task.name)
        plan = self._plan(
            task,
            label_permutations=self.method_options.label_permutations,
            every_method=folder is not None,
        )
        source = Input(self.source, fields, self.run.limit_records)
        total = source.count()
        warn_of_training(self.source, models, fields)
        if self.prompt.demonstrations_file is not None:
            warn_of_shown_records(self.source, task, fields)
        plan.forecast.check(total, self.run.limit)
        if not self.run.dry_run:
            print_forecast(plan.forecast)
        model = load_model(self.model.model, self.model, task)
        if self.run.dry_run:
            show_dry_run(self.source, plan, model, fields, total)
            return Shortfall()
        scorer = Scorer.of_plan(
            plan, model, batch_size=self.run.batch_size, keep_trees=self.output.as_table
        )
        if self.output.out is not None:
            summary = scorer.score_file(
                self.source,
                self.output.out,
                trees=folder,
                fields=fields,
                overwrite=self.run.overwrite,
                keep_input=self.output.keep_input,
                limit_records=self.run.limit_records,
                watch=track_progress,
                say=say,
            )
            return _summarise(summary)
        with ExitStack() as context:
            records = context.enter_context(source)
            store = None
            if folder is not None:
                store = TreeStore(
                    *(folder, task, scorer.signature),
                    source=self.source,
                    fields=fields,
                    limit_records=self.run.limit_records,
                    overwrite=self.run.overwrite,
                )
                context.callback(store.close)
                store.resume(records.reread_all)
                say_resumed(say, None, store)
                if batch:
                    left = store.left(records.read())
                    for _ in track_progress(scorer.run(left, store=store), total, len(store)):
                        pass
                    store.close()
                    return self._reread(folder)
            return self._show(scorer.run_in_order(records.read(), store=store), total)

    def _score_texts(self) -> Shortfall:
        task = load_task(self.prompt, warn=False)  # no model reads its prompt
        if self.run.dry_run:
            raise click.UsageError("--dry-run is of prompts, and classifiers of texts take none")
        scorer = ClassifierScorer(task, load_classifiers(self.method_options))
        if self.output.out is not None:
            output_writer(Path(self.output.out))
        fields = note_source(self.source, self.records)
        if self.output.out is None:
            with Input(self.source, fields, self.run.limit_records) as source:
                results = scorer.run(source.read())
                return self._show((result for _, result in results), source.count())
        summary = scorer.score_file(
            self.source,
            self.output.out,
            fields=fields,
            overwrite=self.run.overwrite,
            keep_input=self.output.keep_input,
            limit_records=self.run.limit_records,
            watch=track_progress,
            say=say,
        )
        return _summarise(summary)

    def _show(self, results: Iterator[Outcome], total: int | None = None) -> Shortfall:
        """A table on a terminal, JSON lines elsewhere, or as asked. Returns what fell short."""
        short = Shortfall()
        if self.output.as_table:
            from rich.console import Console

            from labelmass.cli.table import result_table, text_table
            from labelmass.scores import Failure

            collected = list(track_progress(results, total))
            for result in collected:
                short.add(result.to_dict())
            texts = all(isinstance(one, Failure) or one.summary is None for one in collected)
            Console().print(text_table(collected) if texts else result_table(collected))
            return short
        for result in results if sys.stdout.isatty() else track_progress(results, total):
            record = result.to_dict()
            short.add(record)
            if not self.output.keep_input:
                record.pop("input", None)
            click.echo(json.dumps(record, ensure_ascii=False, allow_nan=False))
        return short


def _summarise(summary: Summary) -> Shortfall:
    """Print the end of the run; return the records that fell short."""
    for line in summary.lines():
        say(line)
    return summary.short
