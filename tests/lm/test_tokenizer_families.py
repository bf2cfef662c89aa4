"""Every family of tokenizers: prompts as the tokenizer itself reads them, scores as brute force.

A tenth of the cases, always the same, is tried each time; `make check-long` tries all.
"""

from __future__ import annotations

import functools
import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from helpers.property_tests import LONG
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget, Requirements
from labelmass.answers.tree import AGGREGATE, AnswerTree, Status
from labelmass.lm.base import common_length
from labelmass.lm.tokenizer import HFTokenizer
from labelmass.lm.transformers import TransformersModel
from labelmass.scoring.explorer import ExploredRecord, Explorer
from labelmass.task import Record, Task
from lm.brute_force_lists import EMPTY, Listing, enumerate_listing
from lm.full_passes import full_row
from lm.tokenizer_families import BLANK, FWER_METHODS, Family, family, network

HEAD = "Moods: {label_names}"
OPENING = b'{"label": ['


@dataclass(frozen=True)
class Kind:
    """A way to ask: labels, and what a task says besides."""

    labels: tuple[str, ...] = ("joy", "fear", "joyful")
    json: bool = False
    opening: bool = False
    system: bool = False
    shown: int = 0


KINDS = {
    "comma": Kind(),
    "json": Kind(json=True),
    "given": Kind(json=True, opening=True),
    "codes": Kind(("S1", "S2", "S10")),
    "blanks": Kind(("very sad", "sad", "very")),
    "accents": Kind(("café", "joy")),
    "parted accents": Kind((unicodedata.normalize("NFD", "café"), "joy")),
    "capitals": Kind(("Joy", "Fear"), json=True),
    "system": Kind(system=True),
    "shown": Kind(shown=2),
}
DRAW = random.Random(4)
CASES = [
    (name, asked) for name in FWER_METHODS for asked in (KINDS if LONG else [DRAW.choice([*KINDS])])
]

TEXTS = (
    "The soup was cold.",
    "\n  It's  12345 °C, naïve 漢字 🙂\t\n",
    unicodedata.normalize("NFD", "Grüße aus dem Café"),
)


def task_of(kind: Kind, chat: bool) -> Task:
    examples = [
        {"text": "It rains.", "labels": list(kind.labels[:1])},
        {"text": "The bus was late.", "labels": list(kind.labels[-2:])},
    ]
    return Task(
        name="zoo",
        labels=list(kind.labels),
        instruction=HEAD,
        instruction_in="system" if kind.system else "user",
        format={"kind": "json" if kind.json else "comma", "blanks": " ", "tolerate": "strict"},
        chat=chat,
        opening="given" if kind.opening else "written",
        demonstrations={"k": kind.shown, "examples": examples},
    )


def messages(kind: Kind, text: str) -> list[dict[str, str]]:
    """The conversation that the task means, put together by hand."""
    head = f"Moods: {', '.join(kind.labels)}"
    if kind.system:
        return [{"role": "system", "content": head}, {"role": "user", "content": text}]
    said: list[dict[str, str]] = []
    if kind.shown:
        texts = ("It rains.", kind.labels[:1]), ("The bus was late.", kind.labels[-2:])
        for shown, labels in texts:
            said += [
                {"role": "user", "content": shown},
                {"role": "assistant", "content": ", ".join(labels)},
            ]
    said.append({"role": "user", "content": text})
    said[0]["content"] = f"{head}\n\n{said[0]['content']}"
    return said


def meant(words: Family, kind: Kind, text: str, answer: str = "") -> list[int]:
    """The ids that the tokenizer itself gives for what the task means, and for an answer to it."""
    said, tokenizer = messages(kind, text), words.tokenizer
    given = (OPENING.decode() if kind.opening else "") + answer
    if not words.chat:
        plain = "".join(
            f"{one['content']}\nAnswer:\n" if one["role"] == "user" else f"{one['content']}\n\n"
            for one in said
            if one["role"] != "system"
        )
        if kind.system:
            plain = f"{said[0]['content']}\n\n{plain}"
        return list(tokenizer(plain + given)["input_ids"])
    if words.folds and kind.system:
        said = [{"role": "user", "content": f"{said[0]['content']}\n\n{said[1]['content']}"}]
    if "part.text" in tokenizer.chat_template:
        said = [
            {"role": one["role"], "content": [{"type": "text", "text": one["content"]}]}
            for one in said
        ]
    rendered = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(rendered + given, add_special_tokens=False)["input_ids"])


def listing_of(words: Family, kind: Kind) -> Listing:
    """Labels are read as the task writes them, in NFC, and as the normaliser makes them."""
    normaliser = words.tokenizer.backend_tokenizer.normalizer
    labels: dict[bytes, bytes] = {}
    for label in kind.labels:
        forms = [label, unicodedata.normalize("NFC", label)]
        if normaliser is not None:
            forms.append(normaliser.normalize_str(label).replace(BLANK, " ").lstrip())
        labels |= {form.encode(): label.encode() for form in forms}
    if kind.json:
        return Listing(labels, b"", OPENING, b'"', closing=b"]}")
    return Listing(labels, stop=b"" if words.chat else b"\n\n")


@functools.lru_cache(maxsize=2)
def scorer(name: str, asked: str) -> tuple[Family, TransformersModel]:
    """A model that answers as one is asked, or nearly."""
    words, kind = family(name), KINDS[asked]
    draw, end = random.Random(name), [max(words.ends)]
    task = task_of(kind, words.chat)
    taught: list[tuple[list[int], list[int]]] = []
    for text in (*TEXTS, "A very sad song.") * 6:
        labels = draw.sample(kind.labels, draw.choice((0, 1, 1, 1, 2)))
        prompt = meant(words, kind, text)
        given = OPENING.decode() if kind.opening else ""
        answer = draw.choice(("", " ")) * (not given) + task.answer(labels).removeprefix(given)
        answer += "" if words.chat else "\n\n"
        whole = [*meant(words, kind, text, answer), *end]
        start = common_length([prompt, whole])
        taught.append((whole[:start], whole[start:]))
    model = network(words, taught)
    return words, TransformersModel(model, HFTokenizer(words.tokenizer), name=name)


def attack(words: Family) -> str:
    """A text that spells every control token."""
    return "I said: " + " and ".join(words.control) + "\n" + "".join(words.control) + " so"


@pytest.mark.long
@pytest.mark.parametrize(("name", "asked"), CASES)
def test_prompts_are_what_the_tokenizer_itself_gives(name: str, asked: str) -> None:
    words, kind = family(name), KINDS[asked]
    task = task_of(kind, words.chat)
    wrapped = HFTokenizer(words.tokenizer)
    for text in TEXTS:
        ids = wrapped.encode_prompt(task.prompt(Record(1, text=text)))
        assert ids == meant(family(name), kind, text)
    spelt = attack(words)
    ids = wrapped.encode_prompt(task.prompt(Record(1, text=spelt)))
    assert ids == meant(family(name, disguised=True), kind, spelt)
    assert wrapped.end_ids == words.ends
    assert list(wrapped.token_bytes) == words.texts


@pytest.mark.long
@pytest.mark.parametrize(("name", "asked"), CASES)
def test_scores_are_those_of_brute_force(name: str, asked: str) -> None:
    (words, model), kind = scorer(name, asked), KINDS[asked]
    listing = listing_of(words, kind)
    explorer = Explorer(
        model,
        task_of(kind, words.chat),
        budget=Budget(tolerance=1e-3, max_nodes=120),
        requirements=Requirements(min_mass=0.01),
    )
    records = [Record(i, text=text) for i, text in enumerate((*TEXTS, attack(words)))]
    chosen = random.Random(f"{name}{asked}").choice(TEXTS)
    for _, record, explored in explorer.explore(enumerate(records)):
        assert isinstance(explored, ExploredRecord)
        prompt = explorer.boundary.start(record).ids
        check_rows(model.network, prompt, explored.tree, len(words.texts))
        if record.text != chosen:
            continue
        whole = meant(words, kind, record.text)
        assert list(prompt) == whole[: len(prompt)]
        loose = b"".join(words.texts[token] or b"" for token in whole[len(prompt) :])
        given = OPENING if kind.opening else b""
        before = loose[: max(len(loose) - len(given), 0)]  # of the prompt, to be written again
        listing = replace(listing, opening=before + listing.opening)
        given = b"" if before else given.removesuffix(loose)
        masses = enumerate_listing(
            model.network, prompt, words.texts, words.ends, listing, given=given, passes=100
        )
        low, high = Marginals(explored.tree).intervals
        assert sum(masses.found.values()) > 1e-3
        for index, label in enumerate((*kind.labels, EMPTY.decode())):
            found, still = masses.found[label.encode()], masses.open[label.encode()]
            assert max(found - high[index], low[index] - found - still) < 1e-5, label


def check_rows(network: Any, prompt: Sequence[int], tree: AnswerTree, size: int) -> None:
    """The heaviest nodes of a tree against one full pass each, in nats."""
    mass = tree.log_mass()
    expanded = [node for node in range(len(tree)) if tree.status[node] == Status.EXPANDED]
    children = tree.children()
    for node in sorted(expanded, key=lambda node: -mass[node])[:12]:
        row = full_row(network, [*prompt, *(tree.token[n] for n in tree.path(node))], size)
        for child in children.get(node, ()):
            if tree.token[child] != AGGREGATE and tree.status[child] != Status.ENDED:
                assert abs(tree.logp[child] - row[tree.token[child]]) < 1e-4
        for token, logp, _ in tree.top[node]:
            assert abs(logp - row[token]) < 1e-4
