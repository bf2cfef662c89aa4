"""Token positions of the labels in a greedy answer."""

from __future__ import annotations

from itertools import accumulate

from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.tree import AnswerTree, Ending


def first_tokens(
    tree: AnswerTree, automaton: ByteAutomaton, given: bytes, *, empty: bool = False
) -> tuple[int, ...]:
    """Place in the greedy answer of the token that holds the first byte of each written label.

    given: bytes of the answer that the prompt holds. empty: also of the empty answer.
    """
    whole = tree.greedy_end == Ending.COMPLETE
    texts = [tree.texts.get(token, b"") for token in tree.greedy_tokens]
    text = given + b"".join(texts)
    spans = automaton.spans(text, partial=not whole) or []
    ends = list(accumulate(map(len, texts), initial=len(given)))[1:]
    firsts: list[int] = []
    for span in spans:
        begin = span.start
        if span.output < len(tree.labels):
            # an item may begin with a quotation mark; the label begins with its spelling
            forms = (form.lower().encode() for form in automaton.spellings[span.output])
            places = (text.lower().find(form, span.start) for form in forms)
            begin = min((place for place in places if 0 <= place < span.end), default=begin)
        elif not (empty and span.output == automaton.empty):
            continue
        if begin >= len(given):
            firsts += [at for at, end in enumerate(ends) if end > begin][:1]
    return tuple(firsts)


def label_token_positions(
    tree: AnswerTree, automaton: ByteAutomaton, given: bytes
) -> tuple[int, ...]:
    """After how many tokens of the greedy answer each label's first token is predicted.

    That of the empty answer where it is written instead; where neither is, the last place the
    answer got to within the format. Never empty.
    """
    if result := first_tokens(tree, automaton, given, empty=True):
        return result
    if tree.greedy_end == Ending.COMPLETE:
        return (0,)
    return (tree.depth(tree.greedy_last),)
