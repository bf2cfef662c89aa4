"""What a benchmark asks of which records, from its command line."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

from labelmass.records import read_records
from labelmass.scoring.plan import Item
from labelmass.task import Task


def parser(about: str | None, *, most: int, out: str) -> argparse.ArgumentParser:
    """Records, task and demonstrations, and the JSON file that is written."""
    found = argparse.ArgumentParser(description=about)
    found.add_argument("records")
    found.add_argument("--task", required=True)
    found.add_argument("--demonstrations")
    found.add_argument("-k", type=int)
    found.add_argument("--multi-share", type=float)
    found.add_argument("--no-chat", action="store_true")
    found.add_argument("--most", type=int, default=most)
    found.add_argument("--out", type=Path, default=Path(out))
    return found


def task_of(args: Any) -> Task:
    """The task, put as asked."""
    return Task.load(args.task).with_options(
        demonstrations=args.demonstrations,
        k=args.k,
        multi_share=args.multi_share,
        chat=False if args.no_chat else None,
    )


def records_of(args: Any) -> list[Item]:
    """The first of the records, as many as asked."""
    return list(itertools.islice(read_records(args.records), args.most))
