"""The grammar over tokens is the byte automaton token by token, for any vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.answers.automaton import DONE, ByteAutomaton
from labelmass.answers.grammar import TokenGrammar, Vocabulary
from labelmass.errors import TaskError
from labelmass.task.formats import AnswerFormat, comma_list, guard, json_list, polysyndeton


@dataclass
class Pieces:
    """A tokenizer of given byte pieces; every byte value may be cut out of a character."""

    token_bytes: list[bytes | None]
    end_ids: frozenset[int]

    def encode(self, text: str) -> list[int]:
        ids, residual = [], text.encode()
        while residual:
            fits = [i for i, b in enumerate(self.token_bytes) if b and residual.startswith(b)]
            if not fits:
                return []
            ids.append(max(fits, key=lambda i: len(self.token_bytes[i] or b"")))
            residual = residual[len(self.token_bytes[ids[-1]] or b"") :]
        return ids


FORMATS = {
    "guard": guard(),
    "json": json_list(),
    "comma": comma_list(stops=("\n\n",), repeats="off-format"),
    "polysyndeton": polysyndeton(),
}
LABELS = ["S1", "S10", "爱", "é b", "none of it"]


def pieces_of(fmt: AnswerFormat) -> st.SearchStrategy[list[bytes]]:
    """Cuts of real answers at any byte, so halves of characters too, and some that never fit."""
    answers = [fmt.write(some).encode() for some in ([], LABELS, LABELS[:2], [LABELS[2]])]

    @st.composite
    def cut(draw: st.DrawFn) -> bytes:
        answer = draw(st.sampled_from(answers))
        start = draw(st.integers(0, len(answer) - 1))
        return answer[start : start + draw(st.integers(1, 6))]

    return st.lists(cut() | st.binary(min_size=1, max_size=3), min_size=1, max_size=60)


def grammar_of(fmt: AnswerFormat, pieces: list[bytes]) -> tuple[TokenGrammar, Pieces]:
    # the same text twice, a control token without text, and two ids that end a turn
    tokens: list[bytes | None] = [*pieces, pieces[0], None, None, None]
    ends = frozenset({len(tokens) - 1, len(tokens) - 2})
    tokenizer = Pieces(tokens, ends)
    automaton = ByteAutomaton(fmt, [[label] for label in LABELS])
    return TokenGrammar(automaton, Vocabulary(tokenizer)), tokenizer  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", FORMATS)
@property_test(60)
@given(data=st.data())
def test_moves_are_exactly_the_tokens_whose_bytes_can_be_read(
    kind: str, data: st.DataObject
) -> None:
    fmt = FORMATS[kind]
    grammar, tokenizer = grammar_of(fmt, data.draw(pieces_of(fmt)))
    state = grammar.start
    for _ in range(6):
        transitions = grammar.transitions(state)
        slow = {}
        for token in range(len(tokenizer.token_bytes)):
            if (moved := grammar.follow(state, token)) is not None:
                slow[token] = moved
        assert list(transitions.ids) == sorted(slow)
        assert sorted(transitions.lost) == lost_after_a_label(grammar, tokenizer, state)
        assert {o: sorted(ids) for o, ids in transitions.leaving.items()} == leaving(
            grammar, tokenizer, state, set(slow)
        )
        asked = transitions.queried_ids.tolist()
        assert len(set(asked)) == len(asked) and set(asked) >= set(slow)
        assert list(zip(transitions.next_state, transitions.outputs, strict=True)) == [
            slow[int(i)] for i in transitions.ids
        ]
        continuing = [to for to in transitions.next_state if to != DONE]
        if not continuing:
            break
        state = data.draw(st.sampled_from(continuing))


def leaving(
    grammar: TokenGrammar, tokenizer: Pieces, state: int, transitions: set[int]
) -> dict[tuple[int, ...], list[int]]:
    """Tokens that leave behind a risk verdict and write more than those do that write nothing."""
    automaton, found = grammar.automaton, dict[tuple[int, ...], list[int]]()
    if (residual := automaton.leave(state)) is None:
        return found
    for token, text in enumerate(tokenizer.token_bytes):
        if token in transitions or not text:
            continue
        at, written = state, ()
        for byte in text:
            if (moved := automaton.step(at, byte)) is None:
                break
            at, written = moved[0], written + moved[1]
        outputs = written + (automaton.leave(at) or ())
        assert outputs == grammar.leave(state, token)
        if outputs != residual:
            found.setdefault(outputs, []).append(token)
    return found


def lost_after_a_label(grammar: TokenGrammar, tokenizer: Pieces, state: int) -> list[int]:
    """Tokens that run over the end of a label, then leave; [] where one stands complete before."""
    automaton, found = grammar.automaton, list[int]()
    if automaton.holds_label(state) or automaton.format.verdict_prefix is not None:
        return found
    for token, text in enumerate(tokenizer.token_bytes):
        at, settled = state, False
        for byte in text or b"":
            if (moved := automaton.step(at, byte)) is None:
                found += [token] if settled or automaton.holds_label(at) else []
                break
            at, outputs = moved
            settled = settled or any(out < len(LABELS) for out in outputs)
    return found
    for token, text in enumerate(tokenizer.token_bytes):
        at, over = state, False
        for byte in text or b"":
            if (moved := automaton.step(at, byte)) is None:
                found += [token] if over else []
                break
            at, outputs = moved
            over = any(out < len(LABELS) for out in outputs) or over or automaton.holds_label(at)
            over = over and (automaton.holds_label(at) or bool(outputs) or over)
    return found


@pytest.mark.parametrize("kind", FORMATS)
@property_test(40)
@given(data=st.data())
def test_spellings_lead_to_their_label_and_share_their_stem(kind: str, data: st.DataObject) -> None:
    fmt = FORMATS[kind]
    grammar, tokenizer = grammar_of(fmt, [bytes([b]) for b in range(256)])
    state, answer, written = grammar.start, b"", set[int]()
    for _ in range(3):
        paths = grammar.spell(answer, state)
        labels = {o: path for o, path in paths.items() if o < len(LABELS)}
        assert set(labels) == set(range(len(LABELS))) - (
            written if fmt.repeats == "off-format" else set()
        )
        common_prefix = grammar.common_prefix(answer, state)
        assert all(path[: len(common_prefix)] == common_prefix for path in labels.values())
        chosen = data.draw(st.sampled_from(sorted(labels)))
        answer += b"".join(tokenizer.token_bytes[i] or b"" for i in labels[chosen])
        spans = grammar.automaton.spans(answer + (fmt.closing or "").encode())
        assert spans is not None and spans[-1].output == chosen
        written.add(chosen)
        if len(written) == len(LABELS):
            break
        answer += fmt.separators[0][:1].encode()  # past the boundary
        ran = grammar.automaton.run(answer)
        assert ran is not None
        state = ran[0]


def test_a_stem_leads_over_the_boundary_where_it_is_certain() -> None:
    grammar, tokenizer = grammar_of(guard(), [bytes([b]) for b in range(256)])

    def common_prefix(answer: bytes) -> bytes:
        ran = grammar.automaton.run(answer)
        assert ran is not None
        return b"".join(
            tokenizer.token_bytes[i] or b"" for i in grammar.common_prefix(answer, ran[0])
        )

    assert common_prefix(b"") == b"unsafe\n"
    assert common_prefix("unsafe\n爱".encode()) == common_prefix(b"unsafe\nS10") == b","
    assert common_prefix(b"unsafe\nS1") == b""  # "0" or ","
    assert common_prefix(b"unsafe\n") == b""


def test_an_end_id_is_admissible_only_where_an_answer_can_end() -> None:
    grammar, tokenizer = grammar_of(comma_list(), [b"S1", b"S10", b", "])
    assert not set(grammar.transitions(grammar.start).ids) & tokenizer.end_ids
    after = grammar.follow(grammar.start, 0)
    assert after is not None
    transitions = grammar.transitions(after[0])
    assert tokenizer.end_ids <= set(transitions.ids.tolist())
    ended = transitions.outputs[transitions.ids.tolist().index(max(tokenizer.end_ids))]
    assert ended == (0,)


def test_a_beginning_that_is_no_answer_is_refused() -> None:
    automaton = ByteAutomaton(comma_list(), [["joy"]])
    tokenizer = Pieces([b"joy", None], frozenset({1}))
    with pytest.raises(TaskError, match="not the beginning of an answer"):
        TokenGrammar(automaton, Vocabulary(tokenizer), b"{")  # type: ignore[arg-type]
