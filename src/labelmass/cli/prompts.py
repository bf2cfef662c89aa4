"""The prompts that a model reads, as a person sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.cli.progress import say
from labelmass.errors import RecordError
from labelmass.lm.base import LanguageModel
from labelmass.records import BadRecord, read_records
from labelmass.records.readers import Item
from labelmass.scoring.cutting import cut_texts
from labelmass.scoring.plan import Plan
from labelmass.task import Task
from labelmass.task.record import Fields


@dataclass(frozen=True, slots=True)
class Prompt:
    """Prompt of a record, or the reason why it has none.

    label: the one that it is about, of a guard that is asked about one at a time.
    """

    id: str | int
    text: str = ""
    token_ids: tuple[int, ...] = ()
    error: str | None = None
    label: str | None = None

    def to_dict(self) -> dict[str, Any]:
        if self.error is not None:
            return {"id": self.id, "error": self.error}
        about = {} if self.label is None else {"label": self.label}
        return {"id": self.id, **about, "text": self.text, "token_ids": list(self.token_ids)}

    def show(self) -> None:
        """Print it for people."""
        about = "" if self.label is None else f", {self.label}"
        click.secho(f"--- {self.id}{about}", fg="cyan")
        if self.error is not None:
            click.secho(self.error, fg="red")
            return
        click.echo(self.text)
        click.secho(f"{len(self.token_ids)} tokens: {list(self.token_ids)}", dim=True)


def prompts_of(
    items: Iterable[Item], task: Task, model: LanguageModel, max_text_tokens: int | None
) -> Iterator[Prompt]:
    """The prompt of each record, or the prompts."""
    several = len(task.passes) > 1
    boundaries = [PromptBoundary(each, model.tokenizer) for each in task.passes.values()]
    for _, record in items:
        if isinstance(record, BadRecord):
            yield Prompt(record.id, error=record.error)
            continue
        try:
            if max_text_tokens is not None:
                record = cut_texts(record, model.tokenizer, max_text_tokens)
            for boundary in boundaries:
                start = boundary.start(record)
                text, ids = boundary.text(record, start), tuple(start.ids)
                label = boundary.task.label_names[0] if several else None
                yield Prompt(record.id, text, ids, label=label)
        except RecordError as error:
            yield Prompt(record.id, error=str(error))


def show_dry_run(
    source: str, plan: Plan, model: LanguageModel, records: Fields, total: int | None
) -> None:
    """The prompt of the first record, and what all would take."""
    items = read_records(source, fields=records)
    for prompt in prompts_of(items, plan.task, model, plan.max_text_tokens):
        prompt.show()
        break
    count = "an unknown number of records" if total is None else f"{total:,} records"
    say(f"{count}: {plan.forecast}; nothing was asked")
