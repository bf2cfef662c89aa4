"""Columns of a table that hold text and id: as they are named, or the only ones that can be meant.

A guess is made only where one column alone fits, and every caller says it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from labelmass.errors import LabelMassError
from labelmass.task.record import Fields

FORMS = ("text", "messages", "prompt", "response")
"""Columns that hold what is labelled."""

USUAL_NAMES = (
    *("text", "body", "message", "content", "comment", "review", "sentence", "tweet", "post"),
    *("description", "title"),
)
"""Usual names of a column of texts, in small letters."""


@dataclass(frozen=True, slots=True)
class Header:
    """Columns of a table.

    Attributes:
        columns: Their names.
        texts: Those that may hold texts.
        error: Makes the error of this table from a message.
    """

    columns: Collection[str]
    texts: Collection[str]
    error: Callable[[str], LabelMassError]

    def settle(self, fields: Fields) -> Fields:
        """The fields, with the columns of text and id that go by other names and are not named.

        Raises:
            LabelMassError: If a column that is named is not there, or if no column, or none alone,
                can hold the text.
        """
        for name, what in ((fields.text, "text"), (fields.id, "id")):
            if name is not None and name not in self.columns:
                raise self.error(f"no column {name!r}, which is to be the {what}")
        if fields.text is None and not self._has_form:
            fields = replace(fields, text=self._guess_text())
        if fields.id is None and "id" not in self.columns:
            matches = self._like(("id",))
            fields = replace(fields, id=matches[0]) if len(matches) == 1 else fields
        return fields

    @property
    def _has_form(self) -> bool:
        pair = "prompt" in self.columns and "response" in self.columns
        return pair or "text" in self.columns or "messages" in self.columns

    def _guess_text(self) -> str:
        matches = [name for name in self._like(USUAL_NAMES) if name in self.texts]
        if len(matches) == 1:
            return matches[0]
        several = f", and {' or '.join(map(repr, matches))} could be it" if matches else ""
        raise self.error(
            f"no column 'text', nor 'prompt' and 'response', nor 'messages'{several}: name the "
            "column that holds the text with --text-column"
        )

    def _like(self, names: Collection[str]) -> list[str]:
        return [column for column in self.columns if column.strip().lower() in names]


def guesses(given: Fields, settled: Fields) -> Iterator[str]:
    """Each column that was guessed, as a person is told."""
    for what in ("text", "id"):
        column = getattr(settled, what)
        if column != getattr(given, what):
            yield f"{what} column: {column}"
