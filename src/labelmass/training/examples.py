"""Training examples: the prompt of a record as in scoring, and an answer of its annotators."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from labelmass.answers.prompt_boundary import TAIL, PromptBoundary
from labelmass.errors import RecordError, TaskError
from labelmass.lm.base import Tokenizer, common_length
from labelmass.targets import targets_of
from labelmass.task import Record, Task
from labelmass.task.prompt import Part, Prompt, Turn
from labelmass.training.settings import Settings

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A record to learn from.

    prompt: what the model reads, up to the answer.
    votes: the label sets its answers are drawn from, in the task's order; empty where only
    shares: (k,) are known.
    """

    id: str | int
    digest: str
    prompt: Ids
    votes: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...] = ()

    def labels(self, task: Task, settings: Settings, epoch: int) -> tuple[str, ...]:
        """The labels of this epoch's answer, in the order they are written.

        Over as many epochs as there are votes each comes once, in an order of the record's own.
        From shares, labels are drawn independently, or one of them where just one is right.
        """
        name = f"{settings.seed}:{self.digest}"
        if self.votes:
            turn, place = divmod(epoch, len(self.votes))
            votes = random.Random(f"{name}:{turn}").sample(self.votes, len(self.votes))
            chosen = votes[place]
        else:
            chosen = self._drawn(task, random.Random(f"{name}:{epoch}"))
        if settings.order == "fixed":
            return chosen
        return tuple(random.Random(f"{name}:{epoch}:order").sample(chosen, len(chosen)))

    def _drawn(self, task: Task, draw: random.Random) -> tuple[str, ...]:
        if task.format.single:
            return tuple(draw.choices(task.label_names, self.shares))
        pairs = zip(task.label_names, self.shares, strict=True)
        return tuple(label for label, share in pairs if draw.random() < share)


class Examples:
    """Examples of a task for one tokenizer.

    context: longest prompt plus answer in tokens, None if unlimited.
    """

    def __init__(
        self, task: Task, tokenizer: Tokenizer, settings: Settings, context: int | None = None
    ) -> None:
        self.task, self.tokenizer, self.settings = task, tokenizer, settings
        self._context = context
        self._joint = PromptBoundary(task, tokenizer)
        self._end = _end_id(tokenizer, task.chat)
        self._answers: dict[tuple[Ids, str], Ids] = {}

    def read(self, record: Record) -> Example:
        """The example of a record; RecordError if nothing may be learnt from it, and why.

        A label that is unknown would be learnt as absent, so such a record has no example.
        """
        task = self.task
        targets = targets_of(task, [record])
        if np.isnan(targets.gold).any():
            label = task.label_names[int(np.isnan(targets.gold[0]).argmax())]
            raise RecordError(f"{label!r} is unknown: any answer would say whether it is there")
        gold = tuple(n for n, y in zip(task.label_names, targets.gold[0], strict=True) if y)
        votes, shares = (gold,), ()
        if self.settings.answers == "annotators":
            if annotators := record.annotators:
                votes = tuple(self._ordered(vote) for vote in annotators)
            elif record.extra.get("distribution") is not None:
                votes, shares = (), tuple(targets.shares[0].tolist())
                if task.format.empty is None and not task.format.single:
                    raise RecordError("a distribution may draw no label: give the annotators")
                if task.format.single and not sum(shares):
                    raise RecordError("its distribution gives no label a share")
        prompt = self._joint.start(record).ids
        example = Example(record.id, record.digest, prompt, votes, shares)
        for number, vote in enumerate(votes):
            try:
                self._fits(record, example, vote)
            except (TaskError, RecordError) as error:
                whose = f"annotators[{number}]: " if len(votes) > 1 else ""
                raise RecordError(f"{whose}{error}") from None
        if not votes:
            self._fits(record, example, task.label_names[: 1 if task.format.single else None])
        return example

    def check_room(self, record: Record) -> None:
        """RecordError if the prompt leaves no room for an answer."""
        self._check_length(len(self._joint.start(record).ids) + 2)

    def answer(self, record: Record, example: Example, epoch: int) -> Ids:
        """The ids of this epoch's answer: all that is learnt, up to the end of the turn."""
        return self._ids(record, example, example.labels(self.task, self.settings, epoch))

    def _ordered(self, vote: Sequence[str]) -> tuple[str, ...]:
        named = set(self.task.resolve(vote))
        return tuple(label for label in self.task.label_names if label in named)

    def _fits(self, record: Record, example: Example, labels: Sequence[str]) -> None:
        self._check_length(len(example.prompt) + len(self._ids(record, example, labels)))

    def _check_length(self, length: int) -> None:
        if self._context is not None and length > self._context:
            raise RecordError(
                f"too long: {length} tokens with the answer, the model reads {self._context}; "
                "shorten the text or take fewer demonstrations"
            )

    def _ids(self, record: Record, example: Example, labels: Sequence[str]) -> Ids:
        """Ids that follow the prompt: the answer's tokens as they fall after it, and its end.

        The last TAIL tokens of the prompt decide how it goes on, as in `PromptBoundary`.
        """
        text = self.task.answer(labels)
        key = example.prompt[-TAIL:], text
        if key not in self._answers:
            given = self.task.given_opening
            if not text.startswith(given):
                raise RecordError(f"the answer {text!r} does not begin with the opening {given!r}")
            stop = ""
            if self._end is None and self.task.format.closing is None:
                stop = self.task.format.stops[0] if self.task.format.stops else ""
            prompt = replace(self.task.prompt(record), opening=text + stop)
            whole = self.tokenizer.encode_prompt(prompt)
            start = len(example.prompt)
            if tuple(whole[:start]) != example.prompt:
                raise RecordError(f"the answer {text!r} changes the tokens of its prompt")
            end = () if self._end is None else (self._end,)
            self._answers[key] = (*whole[start:], *end)
        return self._answers[key]


def _end_id(tokenizer: Tokenizer, chat: bool) -> int | None:
    """The id that ends an answer: what the chat template puts after one, or else the first."""
    if not tokenizer.end_ids:
        return None
    if chat and tokenizer.has_chat_template:
        both: list[list[int]] = []
        for word in ("yes", "no"):
            said = zip(("user", "assistant", "user"), ("a", word, "b"), strict=True)
            turns = tuple(Turn(role, (Part(text),)) for role, text in said)
            both.append(tokenizer.encode_prompt(Prompt(turns)))
        for result in both[0][common_length(both) :]:
            if result in tokenizer.end_ids:
                return result
    return min(tokenizer.end_ids)
