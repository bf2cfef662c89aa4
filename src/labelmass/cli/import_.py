"""`labelmass import`: a public dataset, from its own files, as records."""

from __future__ import annotations

from typing import Any

import click


@click.command("import")
@click.argument("source", metavar="FORMAT")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--map",
    "label_map",
    metavar="MAP",
    help="Where each label goes: a .toml file, or a map that `labelmass sources` lists.",
)
@click.option("--out", required=True, metavar="FILE", help="A .jsonl file.")
def command(source: str, files: tuple[str, ...], label_map: str | None, out: str) -> None:
    """Turn the files of a public dataset into records; `labelmass sources` lists the formats.

    Nothing is downloaded. Beside the records stands a .source.json file: hashes, licence, rules.

    \b
    Examples:
      labelmass import goemotions train.tsv dev.tsv test.tsv emotions.txt --out goemotions.jsonl
      labelmass import beavertails test.jsonl.gz --map beavertails-llama-guard-3 --out bt.jsonl
      labelmass import wide-csv mine.csv --out mine.jsonl
    """
    from labelmass.datasets.importing import import_files

    found = import_files(source, files, label_map)
    beside = found.write(out)
    counts = found.counts()
    width = max(map(len, counts), default=0)
    unknown = _unknown(found.records)
    for label, count in counts.items():
        note = f"  unknown for {unknown[label]}" if label in unknown else ""
        click.echo(f"{label:<{width}}{count:>8}{note}")
    for reason, count in found.left_out.items():
        click.echo(f"left out: {count} {reason}", err=True)
    click.echo(f"{len(found.records)} records -> {out}, {beside}", err=True)


def _unknown(records: list[dict[str, Any]]) -> dict[str, int]:
    from collections import Counter

    return Counter(label for record in records for label in record.get("unknown", ()))
