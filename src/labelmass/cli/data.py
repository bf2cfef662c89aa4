"""`labelmass data`: public datasets in, and records split into parts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from labelmass._ranges import SEED, Range
from labelmass.cli.numbers import number
from labelmass.cli.records import read_source, records_options


@click.group("data")
def command() -> None:
    """Import public datasets, list those that can be imported, and split records.

    \b
    Example:
      labelmass data import convabuse ConvAbuseEMNLP*.csv --out convabuse.jsonl
    """


@command.command("import")
@click.argument("source", metavar="FORMAT")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--map",
    "label_map",
    metavar="MAP",
    help="Where each label goes: a .toml file, or a map that `labelmass data sources` lists.",
)
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False), metavar="FILE", help="A .jsonl file."
)
def import_(source: str, files: tuple[str, ...], label_map: str | None, out: str) -> None:
    """Turn the files of a public dataset into records; `labelmass data sources` lists the formats.

    Nothing is downloaded. Beside the records stands a .source.json file: hashes, licence, rules.

    \b
    Examples:
      labelmass data import dices diverse_safety_*.csv --out dices.jsonl
      labelmass data import beavertails test.jsonl.gz --map beavertails-llama-guard-3 --out bt.jsonl
      labelmass data import wide-csv mine.csv --out mine.jsonl
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


@command.command("split")
@click.argument("source", metavar="FILE")
@click.option(
    "--parts",
    metavar="NAME=SHARE",
    help="Parts and their shares, `train=0.8 test=0.2`, in one word with quotes or one at a time.",
    multiple=True,
)
@click.argument("more", metavar="[NAME=SHARE]...", nargs=-1)
@click.option("--by", metavar="FIELD", help="Keep the split that a field of the records names.")
@click.option("--seed", type=number(SEED), default=0, show_default=True)
@click.option("--group", metavar="FIELD", help="Records with one value stay together.")
@click.option(
    "--near-duplicates",
    "threshold",
    type=number(Range(0, 1, low_open=True)),
    metavar="COSINE",
    help="Texts at least this alike stay together: 0.8, say. With --by they are only counted.",
)
@click.option("--out", required=True, type=click.Path(file_okay=False), metavar="DIR")
@records_options
def split(
    source: str,
    parts: tuple[str, ...],
    more: tuple[str, ...],
    by: str | None,
    seed: int,
    group: str | None,
    threshold: float | None,
    out: str,
    **options: Any,
) -> None:
    """Split the records of FILE into DIR/NAME.jsonl, and write down how in DIR/split.json.

    The same records and seed give the same split, whatever their order.

    \b
    Examples:
      labelmass data split all.jsonl --parts train=0.8 test=0.2 --near-duplicates 0.8 --out parts
      labelmass data split chats.jsonl --parts train=0.7 dev=0.1 test=0.2 --group group --out parts
      labelmass data split goemotions.jsonl --by split --near-duplicates 0.8 --out parts
    """
    from labelmass.datasets.splits import kept_split, split_records
    from labelmass.errors import LabelMassError
    from labelmass.files.writing import file_hash, write_json, write_records
    from labelmass.records import BadRecord
    from labelmass.task.record import Record

    words = [word for option in (*parts, *more) for word in option.split()]
    if bool(words) == bool(by):
        raise click.UsageError("name parts (--parts train=0.8 test=0.2) or a field (--by split)")
    if by and group:
        raise click.UsageError("--group has no say where --by keeps a split")
    shares = _shares(words)
    records: list[Record] = []
    for line, item in read_source(source, options):
        if isinstance(item, BadRecord):
            raise LabelMassError(f"{source}, line {line}: {item.error}")
        records.append(item)
    if by:
        found = kept_split(records, by, threshold=threshold)
    else:
        found = split_records(records, shares, seed=seed, group=group, threshold=threshold)
    folder = Path(out)
    for name in found.parts:
        if Path(name).name != name or name.startswith("."):
            raise LabelMassError(f"a part cannot be called {name!r}: it is to be a file name")
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in found.parts.items():
        write_records(folder / f"{name}.jsonl", (record.to_dict() for record in part))
    told = {"input": {"name": Path(source).name, "sha256": file_hash(source)}}
    write_json(folder / "split.json", told | found.report)
    for name, part in found.parts.items():
        click.echo(f"{name:<12}{len(part):>8}")
    for key in ("clusters_of_several", "largest_cluster", "clusters_in_several_parts"):
        if key in found.report:
            click.echo(f"{key.replace('_', ' ')}: {found.report[key]}", err=True)
    if found.left_out:
        click.echo(f"{found.left_out} records have no {by!r} and are in no part", err=True)
    click.echo(f"-> {folder / 'split.json'}", err=True)


def _shares(words: list[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for word in words:
        name, equals, share = word.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise click.UsageError(f"{word!r}: expected NAME=SHARE, such as train=0.8") from None
        if not name or not equals:
            raise click.UsageError(f"{word!r}: expected NAME=SHARE, such as train=0.8")
    return shares


@command.command("sources")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def sources(name: str | None, as_json: bool) -> None:
    """List the datasets that `labelmass data import` reads, or show one, or a map of labels.

    \b
    Examples:
      labelmass data sources
      labelmass data sources convabuse
      labelmass data sources beavertails-llama-guard-3 > mine.toml
    """
    from labelmass.datasets.sources import SOURCES
    from labelmass.datasets.sources.maps import open_map, shipped_maps
    from labelmass.errors import LabelMassError

    maps = shipped_maps()
    if name in maps:
        click.echo(open_map(name).text, nl=False)
        return
    if name is not None and name not in SOURCES:
        raise LabelMassError(f"no source {name!r}: one of {', '.join([*SOURCES, *maps])}")
    shown = [SOURCES[name]] if name else list(SOURCES.values())
    if as_json:
        told = [{k: v for k, v in asdict(source).items() if k != "read"} for source in shown]
        click.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    if name is None:
        for source in shown:
            click.echo(f"{source.name:<21}{source.summary}")
        for each, about in maps.items():
            click.echo(f"{each}\n    {about}")
        return
    (source,) = shown
    click.secho(f"{source.name}: {source.summary}", bold=True)
    click.echo(f"from      {source.home}\nlicence   {source.licence}\nfiles     {source.files}")
    for rule in source.rules:
        click.echo(f"  - {rule}")
