"""Labels, and the empty answer, that an answer may write next from a state of its format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labelmass.answers.automaton import DONE, ByteAutomaton, Outputs

if TYPE_CHECKING:
    from labelmass.answers.grammar import Transitions


@dataclass(frozen=True, slots=True)
class Parts:
    """The moves of a state, parted by what they write and by what may be written next.

    classes: indices of the moves of each part. class_of: (n,) the part of each move. upcoming: by
    part, a bit set of what may be written next; 0 where something has been written, or all is over.
    """

    classes: tuple[NDArray[np.int64], ...]
    class_of: NDArray[np.int64]
    upcoming: tuple[int, ...]


class Upcoming:
    """Outputs that may be written next, as bit sets, from each state of an automaton."""

    def __init__(self, automaton: ByteAutomaton) -> None:
        self._automaton = automaton
        self._counted = (2 << automaton.empty) - 1  # labels and the empty answer
        self._known: dict[int, int] = {DONE: 0}
        self._parts: dict[int, Parts] = {}

    def first(self, outputs: Outputs) -> int | None:
        """The first of some outputs that is a label or the empty answer."""
        return next((out for out in outputs if self._counted >> out & 1), None)

    def of(self, state: int) -> int:
        """The outputs of which some answer writes one next, before any other, from `state`."""
        if state not in self._known:
            self._explore(state)
        return self._known[state]

    def _explore(self, start: int) -> None:
        """Walk all states that are reached with nothing written, and sum up from the ends back."""
        automaton = self._automaton
        bits: dict[int, int] = {}
        continuing: dict[int, set[int]] = {}
        todo = [start]
        while todo:
            state = todo.pop()
            if state in bits or state in self._known:
                continue
            ways = [*automaton.ways(state).values()]
            if (ending := automaton.end(state)) is not None:
                ways.append((DONE, ending))
            bits[state], continuing[state] = 0, set()
            for next_state, outputs in ways:
                if (out := self.first(outputs)) is not None:
                    bits[state] |= 1 << out
                elif next_state != state:
                    continuing[state].add(next_state)
            todo.extend(continuing[state])
        changed = True
        while changed:  # blanks make circles
            changed = False
            for state in reversed(list(bits)):
                total = bits[state]
                for next_state in continuing[state]:
                    total |= bits[next_state] if next_state in bits else self._known[next_state]
                changed |= total != bits[state]
                bits[state] = total
        self._known |= bits

    def parts(self, state: int, transitions: Transitions) -> Parts:
        """The kinds of a state's moves, those that write nothing parted."""
        if state in self._parts:
            return self._parts[state]
        results: list[NDArray[np.int64]] = []
        upcoming: list[int] = []
        for members in transitions.classes:
            representative = int(members[0])
            if (
                transitions.next_state[representative] == DONE
                or self.first(transitions.outputs[representative]) is not None
            ):
                groups = {0: members.tolist()}
            else:
                groups = dict[int, list[int]]()
                for index in members.tolist():
                    groups.setdefault(self.of(int(transitions.next_state[index])), []).append(index)
            results += [np.array(group, dtype=np.int64) for group in groups.values()]
            upcoming += groups
        class_of = np.zeros(len(transitions.next_state), dtype=np.int64)
        for kind, members in enumerate(results):
            class_of[members] = kind
        self._parts[state] = Parts(tuple(results), class_of, tuple(upcoming))
        return self._parts[state]
