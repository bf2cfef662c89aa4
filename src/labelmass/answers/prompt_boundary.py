"""The boundary between prompt and answer, verified by tokenising.

An answer's first bytes may fuse with the end of the prompt into one token. The prompt is then cut
back to the last token that every answer leaves alone, and the bytes cut off are left for the model
to write, as part of the format. So probabilities are those of text the model really meets.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.grammar import TokenGrammar, Vocabulary
from labelmass.answers.spelling import spelling_of
from labelmass.errors import RecordError, TaskError
from labelmass.lm.base import Tokenizer, common_length
from labelmass.task import Record
from labelmass.task.prompt import Prompt
from labelmass.task.questions import Askable

K = TypeVar("K")
V = TypeVar("V")

TAIL = 12
"""Tokens at the end of a prompt that decide how an answer joins it."""

MAX_KEPT_TAILS, MAX_KEPT_GRAMMARS = 256, 16
"""Ends of prompts whose cut is remembered, and grammars: more come where prompts end in a text."""

PROBES = ("x", " x", "\nx", "1", "(x", "é", '"x"')
"""Texts that begin unlike one another, to find what all prompts of a task share."""


@dataclass(frozen=True, slots=True)
class PreparedPrompt:
    """A record's prompt, tokenised: its ids, and the grammar of the answer that follows them."""

    ids: tuple[int, ...]
    grammar: TokenGrammar


class PromptBoundary:
    """Cuts each prompt to the last token that no answer changes; builds the grammar of the rest.

    vocabulary: the tokenizer's, where there is one at hand.

    Raises TaskError for labels that this tokenizer cannot write, or makes one, and ModelError for a
    chat template that does not take the task's prompts.
    """

    def __init__(
        self, task: Askable, tokenizer: Tokenizer, vocabulary: Vocabulary | None = None
    ) -> None:
        self.task = task
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary or Vocabulary(tokenizer)
        self._spelling = spelling_of(task, self.vocabulary)
        self._grammars: dict[bytes, TokenGrammar] = {}
        self._cuts: dict[tuple[int, ...], int] = {}
        self._answers = list(task.format.examples(task.spellings))
        if vocabulary is None:  # the first of those under this tokenizer
            with suppress(RecordError):
                tokenizer.encode_prompt(task.prompt(Record(id=0, text=PROBES[0])))

    def start(self, record: Record) -> PreparedPrompt:
        """Prompt ids and grammar for a record; RecordError where it cannot be put."""
        prompt = self.task.prompt(record)
        ids = self.tokenizer.encode_prompt(prompt)
        cut = self._cut(prompt, ids)
        trailing = b"".join(self.tokenizer.token_bytes[i] or b"" for i in ids[len(ids) - cut :])
        return PreparedPrompt(tuple(ids[: len(ids) - cut]), self._grammar(trailing))

    def text(self, record: Record, start: PreparedPrompt) -> str:
        """The text that `start.ids` encode, control tokens shown as the template writes them."""
        text = self.tokenizer.render_prompt(self.task.prompt(record))
        ids = self.tokenizer.encode_prompt(self.task.prompt(record))[len(start.ids) :]
        trailing = b"".join(self.tokenizer.token_bytes[i] or b"" for i in ids).decode()
        return text[: len(text) - len(trailing)]

    @cached_property
    def beginning(self) -> tuple[int, ...]:
        """The ids that the prompts of the task begin with, whatever the record says.

        None of a task that cannot be asked about a text alone.
        """
        try:
            probes = [self.start(Record(id=0, text=text)).ids for text in PROBES]
        except RecordError:
            return ()
        return probes[0][: common_length(probes)]

    def shared(self, starts: Sequence[PreparedPrompt]) -> int:
        """Number of leading ids that these prompts share, also with prompts of other texts."""
        return common_length([self.beginning, *(start.ids for start in starts)])

    def _cut(self, prompt: Prompt, ids: list[int]) -> int:
        """Number of tokens at the end of the prompt that some answer would change."""
        tail = tuple(ids[-TAIL:])
        if tail not in self._cuts:
            given = prompt.opening
            cut = 0
            for answer in self._answers:
                if answer.startswith(given):
                    joined = self.tokenizer.encode_prompt(replace(prompt, opening=answer))
                    cut = max(cut, len(ids) - common_length([ids, joined]))
            if cut and any(self.tokenizer.token_bytes[i] is None for i in ids[len(ids) - cut :]):
                raise TaskError(
                    "the answer changes how the control tokens at the end of the prompt are read "
                    f"(ids {ids[-cut:]}): check the chat template, or set chat = false"
                )
            _keep(self._cuts, tail, cut, MAX_KEPT_TAILS)
        return self._cuts[tail]

    def _grammar(self, trailing: bytes) -> TokenGrammar:
        """The grammar where these last bytes of the prompt are left for the model to write."""
        if trailing not in self._grammars:
            fmt, given = self._spelling.format, self._spelling.given.encode()
            before = trailing[: max(len(trailing) - len(given), 0)]  # bytes of the prompt itself
            in_prompt = b"" if before else given[: len(given) - len(trailing)]
            automaton = ByteAutomaton(fmt, self._spelling.labels, before=before, given=given)
            made = TokenGrammar(automaton, self.vocabulary, in_prompt)
            _keep(self._grammars, trailing, made, MAX_KEPT_GRAMMARS)
        return self._grammars[trailing]


def _keep(cache: dict[K, V], key: K, value: V, most: int) -> None:
    """Remember a value, and forget the oldest where there are more."""
    cache[key] = value
    if len(cache) > most:
        del cache[next(iter(cache))]
