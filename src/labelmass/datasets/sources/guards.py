"""Two sets of unsafe queries, with the categories of Llama Guard 3 and of Llama Guard 2."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.lines import read_objects

_CODE = re.compile(r"S[1-9]\d?")


def reader(version: int) -> Callable[[Sequence[SourceFile]], Reading]:
    """Reader of one version of the data set."""
    key = f"llama_guard_{version}_categories"

    def read(files: Sequence[SourceFile]) -> Reading:
        reading = Reading()
        seen: set[str] = set()
        for file in files:
            for line, row in read_objects(file, {"unsafe_query": str, key: list}):
                codes = [str(code) for code in row[key]]
                if not all(_CODE.fullmatch(code) for code in codes):
                    raise file.error(line, f"{key} is {codes}: expected codes such as S1")
                if row["unsafe_query"] in seen:
                    reading.left_out["repeats of a query"] += 1
                    continue
                seen.add(row["unsafe_query"])
                name = f"lg{version}-{line:04}"
                reading.records.append(make_record(name, codes, text=row["unsafe_query"]))
        return reading

    return read


def _source(version: int, size: int) -> Source:
    return Source(
        f"guard-{version}",
        f"{size} hazard categories of unsafe queries (Llama Guard {version} codes)",
        "Token-Level Marginalization for Multi-Label LLM Classifiers (Praharaj and Kasundra, "
        "arXiv 2511.22312), the-fenrir/MarginalProb4Classification, folder datasets",
        "none stated",
        f"content_moderation_lm{version}.jsonl",
        (
            "labels are the codes as listed; every query has two or three, none is safe",
            "of a query that comes again, the first counts",
            "ids are line numbers",
        ),
        reader(version),
    )


GUARD_3 = _source(3, 14)
GUARD_2 = _source(2, 11)
