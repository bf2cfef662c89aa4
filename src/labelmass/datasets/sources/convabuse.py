"""ConvAbuse: the last line of a user to a chatbot, a block of 17 columns for each annotator."""

from __future__ import annotations

from collections.abc import Sequence

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.table import Row, Table, read_table
from labelmass.datasets.sources.votes import majority, shares

LABELS = (
    "abusive",
    "ableist",
    "homophobic",
    "intellectual",
    "racist",
    "sexist",
    "sex_harassment",
    "transphobic",
    "target_generalised",
    "target_individual",
    "target_system",
    "explicit",
    "implicit",
)
_ABOUT = ("example_id", "conv_id", "prev_agent", "prev_user", "agent", "user", "bot")
_GRADES = 5  # not abusive, ambiguous, and three grades of abuse
_BLOCK = _GRADES + len(LABELS) - 1
_FIRST = "_is_abuse.1"


def read(files: Sequence[SourceFile]) -> Reading:
    """Columns are read by position: some headers upstream name the wrong annotator."""
    reading = Reading()
    for file in files:
        table = read_table(file, _ABOUT, by_position=True)
        blocks = _blocks(table)
        for row in table:
            votes = {name: _answer(row, start, reading) for name, start in blocks.items()}
            given = {name: vote for name, vote in votes.items() if vote is not None}
            if not given:
                reading.left_out["examples without an answer"] += 1
                continue
            annotators = list(given.values())
            reading.records.append(
                make_record(
                    f"convabuse-{row['example_id'].removesuffix('.0')}",
                    majority(annotators, LABELS),
                    text=_conversation(row),
                    annotators=annotators,
                    annotator_ids=list(given),
                    distribution=shares(annotators, LABELS),
                    split=file.part,
                    group=row["conv_id"].removesuffix(".0"),
                    bot=row["bot"],
                )
            )
    return reading


def _blocks(table: Table) -> dict[str, int]:
    """First column of each annotator."""
    start = len(_ABOUT)
    heads = table.columns[start::_BLOCK]
    whole = (len(table.columns) - start) % _BLOCK == 0
    if table.columns[:start] != _ABOUT or not whole or not all(h.endswith(_FIRST) for h in heads):
        raise table.file.error(
            1,
            f"expected the columns {', '.join(_ABOUT)}, then {_BLOCK} for each annotator, the "
            f"first of them Annotator1{_FIRST}",
        )
    return {head.removesuffix(_FIRST): start + _BLOCK * n for n, head in enumerate(heads)}


def _answer(row: Row, start: int, reading: Reading) -> list[str] | None:
    """The labels an annotator chose; None if they did not see the example."""
    cells = row.cells[start : start + _BLOCK]
    if not any(cells):
        return None
    chosen = [_first(row, cell) for cell in cells]
    if any("," in cell for cell in cells):
        reading.left_out["second answers of an annotator"] += 1
    if not any(chosen[2:_GRADES]):
        return []
    return [label for label, yes in zip(LABELS, [True, *chosen[_GRADES:]], strict=True) if yes]


def _first(row: Row, cell: str) -> bool:
    """The first answer in a cell: who did an example twice has `0, 1`."""
    word = cell.partition(",")[0].strip()
    if word not in ("0", "1"):
        raise row.error(f"an answer is {cell!r}: expected 0 or 1 in every column of an annotator")
    return word == "1"


def _conversation(row: Row) -> str:
    lines = [("Agent", "prev_agent"), ("User", "prev_user"), ("Agent", "agent"), ("User", "user")]
    return "\n".join(f"{who}: {row[column]}" for who, column in lines if row[column].strip())


CONVABUSE = Source(
    "convabuse",
    "abuse of a chatbot: whether, 7 types, 3 targets, directness, with every annotator",
    "ConvAbuse (Cercas Curry et al., EMNLP 2021), amandacurry/convabuse, folder 2_splits",
    "CC BY 4.0",
    "ConvAbuseEMNLPtrain.csv, ConvAbuseEMNLPvalid.csv, ConvAbuseEMNLPtest.csv",
    (
        "labels are those more than half of the example's annotators chose",
        "grades -1, -2 and -3 are abusive; 1 (not abusive) and 0 (ambiguous) are the empty set, "
        "and so are types, target and directness without abuse",
        "of an annotator who did an example twice, the first answer counts",
        "text is the last two turns, a line each; the labels are of the last line",
        "group is the conversation; split is read off the file name (valid is dev)",
    ),
    read,
)
