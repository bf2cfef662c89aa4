"""A transformers tokenizer at the level of bytes, in which outside text is never structure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from labelmass.errors import ModelError
from labelmass.lm.chat import (
    CALL,
    WAY_OUT,
    ChatTemplate,
    Message,
    apply_template,
    closings,
    samples,
)
from labelmass.lm.literal import LiteralBackend
from labelmass.lm.token_bytes import BLANK, token_bytes
from labelmass.task.prompt import Part, Prompt, Turn

TAG = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]|<\|.+\|>")
"""Pattern of added tokens that a chat template may use as structure."""

ANCHORS = ("\x02", "\n", "\t", "~", "|", "=", "0", "z")
"""One of them is put before text so that a blank is added to it and not to the text."""

RARE = "\U00050005"
"""A character that no text has and no vocabulary covers, unless by its bytes."""

PROBES = ("labels: 12345, S10\n\n- next", "Grüße, 漢字 🙂\n\tx  y", '{"a": ["b"]}', "don't")

SPOKEN = (
    Turn("system", (Part("Be brief: "), Part('name a "mood".\n', trusted=True))),
    Turn("user", (Part("Moods: joy, fear\n\n\n", trusted=True), Part(" Is it  10 °C?\n"))),
    Turn("assistant", (Part("joy, fear"),)),
    Turn("user", (Part("It's [late] <now>.\n\tAnd \\n {{ x }}"),)),
)
"""A conversation that is read at the start to see that it is read as the model's makers meant."""


class HFTokenizer:
    """A `Tokenizer` over a fast tokenizer of the transformers library, which it leaves as it is.

    tokenizer: the transformers tokenizer; it must have a backend of the tokenizers library.
    end_ids: ids that end the model's turn, besides the tokenizer's own and the one that the chat
        template writes after an answer.
    rows: how many ids the model has an embedding for; None for all. Added tokens past it are read
        as text.

    Raises ModelError if the bytes of its tokens do not add up to the text it reads, or if other ids
    than added tokens have no embedding.
    """

    def __init__(
        self, tokenizer: Any, end_ids: Iterable[int | None] = (), *, rows: int | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._backend: Any = getattr(tokenizer, "backend_tokenizer", None)
        if self._backend is None:
            raise ModelError("the model's tokenizer has no tokenizer.json, which labelmass needs")
        self._backend.no_truncation()
        self.has_chat_template = tokenizer.chat_template is not None
        self._chat = ChatTemplate.of(tokenizer)
        self._unusable = self._without_row(rows)
        ends = {*end_ids, tokenizer.eos_token_id} - {None, *self._unusable}
        self.end_ids = frozenset(int(i) for i in ends if i is not None)
        spoken = samples(tokenizer) if self.has_chat_template else []
        self._control = self._control_tokens(spoken)
        self._structure = _any_of(self._control)
        self._spelt = self._structure
        if self._unusable:
            self._spelt = _any_of([*self._control, *self._unusable.values()])
        for sample in spoken:
            for text in closings(sample):
                if match := self._structure.search(text):
                    self.end_ids |= {self._control[match[0]]}
        control = frozenset(self._control.values())
        self._unknown = control & {*self._backend.encode(RARE, add_special_tokens=False).ids}
        self._marks = control - self._unknown
        self._anchors = self._find_anchors()
        self._check_bytes()
        self._check_literal()
        self._fault: str | None = None
        self._refusal: str | None = None  # of a plain conversation; other calls may do
        if self.has_chat_template:
            self._check_chat()

    @property
    def token_bytes(self) -> tuple[bytes | None, ...]:
        """Bytes by id; None for control tokens, and for ids without a token."""
        return self._table

    @property
    def fingerprint(self) -> str:
        """12 hex digits of the vocabulary and the chat template."""
        return self._digest

    @property
    def template_digest(self) -> str | None:
        """12 hex digits of the SHA-256 of the chat template; None without one."""
        template = self._tokenizer.chat_template
        if template is None:
            return None
        text = template if isinstance(template, str) else json.dumps(template)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def _table(self) -> tuple[bytes | None, ...]:
        vocabulary: dict[str, int] = self._backend.get_vocab(with_added_tokens=True)
        settings = {
            key: json.loads(part.__getstate__()) if part is not None else None
            for key, part in (
                ("decoder", self._backend.decoder),
                ("pre_tokenizer", self._backend.pre_tokenizer),
            )
        }
        added = {index: token.content for index, token in self._added.items()}
        control = {*self._control.values(), *self._unusable, *self.end_ids}
        return token_bytes(vocabulary, settings, control, added)

    @cached_property
    def _digest(self) -> str:
        vocabulary = sorted(self._backend.get_vocab(with_added_tokens=True).items())
        source = json.dumps([vocabulary, self._tokenizer.chat_template])
        return hashlib.sha256(source.encode()).hexdigest()[:12]

    @cached_property
    def _literal(self) -> LiteralBackend:
        """The twin for text that spells control tokens."""
        return LiteralBackend(self._backend, self._control, self._unusable.values())

    def token_name(self, index: int) -> str:
        """Display name of an id in the vocabulary."""
        return self._backend.id_to_token(index) or f"id {index}"

    def encode(self, text: str) -> list[int]:
        """Ids of plain text, with no blank put before it and no control token in it."""
        ids: list[int] = []
        for anchor, first in self._anchors if text else ():
            ids = self._plain_ids(anchor + text)
            if ids[: len(first)] == first:  # else the text is joined to the anchor
                return ids[len(first) :]
        return ids

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        """Ids of a whole prompt: those the tokenizer itself gives, but that control tokens spelt in
        untrusted parts are text.

        Raises ModelError if the model has no chat template and the prompt asks for one, or where
        the template is not read as it is meant.
        """
        parts = self._parts(prompt)
        ids = self._usual_ids(parts)
        if ids is None:
            ids = self._literal_ids(parts)
        if not prompt.chat and ids[: len(self._leading)] != self._leading:
            ids = [*self._leading, *ids]
        return ids

    def render_prompt(self, prompt: Prompt) -> str:
        return "".join(part.text for part in self._parts(prompt))

    def decode(self, ids: Sequence[int]) -> str:
        """The text that ids write; control tokens write none."""
        return b"".join(self.token_bytes[i] or b"" for i in ids).decode(errors="replace")

    def save(self, folder: Path) -> None:
        """tokenizer.json and what goes with it, as transformers reads them."""
        self._tokenizer.save_pretrained(folder)

    @property
    def _added(self) -> dict[int, Any]:
        """Added tokens by id."""
        return self._backend.get_added_tokens_decoder()

    @cached_property
    def _leading(self) -> list[int]:
        """Ids the tokenizer puts before any text, as a rule BOS or none."""
        bare = self._tokenizer("x", add_special_tokens=False)["input_ids"]
        full = self._tokenizer("x", add_special_tokens=True)["input_ids"]
        starts = range(len(full) - len(bare) + 1)
        start = next((i for i in starts if full[i : i + len(bare)] == bare), 0)
        return list(full[:start])

    def _without_row(self, rows: int | None) -> dict[int, str]:
        """Added tokens that the model has no embedding for, text by id."""
        if rows is None:
            return {}
        added = self._added
        vocabulary: dict[str, int] = self._backend.get_vocab(with_added_tokens=True)
        past = {index: token for token, index in vocabulary.items() if index >= rows}
        own = [token for index, token in past.items() if index not in added]
        if own:
            raise ModelError(
                f"the model has {rows} embeddings, and its tokenizer has {len(own)} tokens past "
                f"them, such as {own[0]!r}: give the tokenizer that belongs to the model"
            )
        return {index: added[index].content for index in past}

    def _control_tokens(self, spoken: Iterable[Iterable[Part]]) -> dict[str, int]:
        """Ids of control tokens by text: special ones, and tags that the template writes."""
        template = self._tokenizer.chat_template
        written = template if isinstance(template, str) else json.dumps(template or "")
        written += "".join(part.text for sample in spoken for part in sample if part.trusted)
        named = set(self._tokenizer.all_special_ids) | self.end_ids
        return {
            token.content: index
            for index, token in self._added.items()
            if index not in self._unusable
            and (
                token.special
                or index in named
                or (TAG.fullmatch(token.content) and token.content in written)
                or token.content.startswith("<|")
            )
        }

    def _parts(self, prompt: Prompt) -> list[Part]:
        if not prompt.chat:
            parts = [part for turn in prompt.turns for part in turn.parts]
        elif not self.has_chat_template:
            raise ModelError("the model has no chat template; set chat = false in the task")
        elif self._fault is not None:
            raise ModelError(self._fault)
        elif self._refusal is not None and prompt.template == CALL:
            raise ModelError(self._refusal)
        else:
            parts = self._chat.render(prompt.turns, prompt.template)
        ending = Part(prompt.prefill, trusted=True), Part(prompt.opening)
        return [part for part in (*parts, *ending) if part.text]

    def _usual_ids(self, parts: Sequence[Part]) -> list[int] | None:
        """Ids of the parts read as one text by the tokenizer itself.

        None if some text spells a control token, or forms one with its neighbours.
        """
        if any(self._spelt.search(part.text) for part in parts if not part.trusted):
            return None
        expected = [
            self._control.get(result)
            for part in parts
            if part.trusted
            for result in self._spelt.findall(part.text)
        ]
        text = "".join(part.text for part in parts)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids if [i for i in ids if i in self._marks] == expected else None

    def _plain_ids(self, text: str) -> list[int]:
        """Ids of text without a control token in it."""
        if self._spelt.search(text) is None:
            ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
            if self._marks.isdisjoint(ids):
                return ids
        return self._literal.encode(text)

    def _literal_ids(self, parts: Sequence[Part]) -> list[int]:
        """Ids of the parts read as one text, with structure only where trusted text writes it."""
        return self._literal.encode("".join(self._with_names(parts)))

    def _with_names(self, parts: Iterable[Part]) -> Iterator[str]:
        for part in parts:
            if part.trusted:
                yield self._structure.sub(lambda found: self._literal.named(found[0]), part.text)
            else:
                yield part.text

    def _find_anchors(self) -> list[tuple[str, list[int]]]:
        """Texts to put before others, and their ids; an empty one where no blank is added."""
        encode = self._backend.encode
        tokens: list[str] = encode("x", add_special_tokens=False).tokens
        if not tokens or tokens[0][:1] not in (BLANK, "\u0120"):
            return [("", [])]
        results = ((anchor, encode(anchor, add_special_tokens=False).ids) for anchor in ANCHORS)
        return [(anchor, ids) for anchor, ids in results if self._unknown.isdisjoint(ids)]

    # -- what is checked at the start -----------------------------------------------------------

    def _check_bytes(self) -> None:
        """That the bytes of its tokens are those of a text, or of what the normaliser makes of it.

        Characters that it has no token for are left out.
        """
        for text in PROBES:
            text = "".join(c for c in text if self._unknown.isdisjoint(self.encode(c)))
            pieces = [self.token_bytes[i] for i in self.encode(text)]
            if None in pieces or b"".join(p or b"" for p in pieces) not in self._forms(text):
                raise ModelError(
                    "the bytes of the model's tokens do not add up to the text it reads "
                    f"({text!r}); labelmass cannot score with this tokenizer"
                )

    def _forms(self, text: str) -> tuple[bytes, bytes]:
        """A text as it stands, and as the normaliser writes it."""
        normaliser, normal = self._backend.normalizer, text
        if normaliser is not None:
            anchor = ANCHORS[0]
            whole = normaliser.normalize_str(anchor + text)
            normal = whole.replace(BLANK, " ").partition(anchor)[2]
        return text.encode(), normal.encode()

    def _check_literal(self) -> None:
        """That text which spells control tokens is text, and other text the same to the twin."""
        texts = [*PROBES, "".join(f"a {token} b" for token in self._spellable)]
        for text in texts[:-1]:
            usual = self._backend.encode(text, add_special_tokens=False).ids
            if self._literal.encode(text) != usual:
                raise ModelError(
                    f"{text!r} is read otherwise beside text that spells control tokens; "
                    "labelmass cannot score with this tokenizer"
                )
        ids = self.encode(texts[-1])
        unknown = not self._unknown.isdisjoint(ids)
        written = b"".join(self.token_bytes[i] or b"" for i in ids)
        if not self._marks.isdisjoint(ids) or not (unknown or written in self._forms(texts[-1])):
            raise ModelError(
                "text that spells control tokens is read as structure; "
                "labelmass cannot score with this tokenizer"
            )

    @property
    def _spellable(self) -> list[str]:
        """Control tokens that the checks spell out; there may be thousands."""
        return list(self._control)[:64]

    def _check_chat(self) -> None:
        """Note why no prompt fits the chat template, if none does, and the way out."""
        for turns in (SPOKEN, SPOKEN[1:], SPOKEN[-1:]):
            try:
                messages = self._chat.messages(turns)
            except ModelError as error:
                self._refusal = str(error)
            else:
                self._refusal = None
                self._fault = self._reading_fault(turns, messages)
                return

    def _reading_fault(self, turns: Sequence[Turn], messages: list[Message]) -> str | None:
        """Fault in the ids of a conversation, compared to the tokenizer's; None if they agree."""
        meant: list[int] = apply_template(self._tokenizer, messages, tokenize=True)
        for index, name in self._unusable.items():
            if index in meant:
                return f"the chat template writes {name!r}, which has no embedding; {WAY_OUT}"
        parts = self._parts(Prompt(tuple(turns)))
        ours = self.encode_prompt(Prompt(tuple(turns)))
        if ours != meant or self._literal_ids(parts) != meant:
            return f"the model's chat template is not read as the tokenizer reads it; {WAY_OUT}"
        attack = Turn("user", (Part("".join(f"a {token} b" for token in self._spellable)),))
        attacked = self.encode_prompt(Prompt((*turns[:-1], attack)))
        if [i for i in attacked if i in self._marks] != [i for i in ours if i in self._marks]:
            return f"text that spells control tokens is read as structure in a chat; {WAY_OUT}"
        return None


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Matches the longest of some texts, thousands perhaps; nothing where there are none."""
    root: dict[str, Any] = {}
    for text in texts:
        node = root
        for char in text:
            node = node.setdefault(char, {})
        node[""] = {}
    return re.compile(_pattern(root) or r"(?!)")


def _pattern(node: dict[str, Any]) -> str:
    """Regular expression for a tree of texts by character, the longest first; "" ends a text."""
    ways = [re.escape(char) + _pattern(below) for char, below in node.items() if char]
    if not ways:
        return ""
    either = ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"
    return f"(?:{either})?" if "" in node else either
