"""`labelmass data`: public datasets in, and records split into parts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from labelmass._ranges import SEED, Range
from labelmass._settings import REQUIRED, setting
from labelmass.cli import completions
from labelmass.cli.declare import as_command
from labelmass.cli.options import JsonOptions
from labelmass.cli.progress import say
from labelmass.cli.records import read_source
from labelmass.errors import LabelMassError
from labelmass.records import BadRecord
from labelmass.task import Record
from labelmass.task.record import Fields


@click.group("data")
def command() -> None:
    """Import public datasets, list those that can be imported, and split records.

    \b
    Example:
      labelmass data import convabuse ConvAbuseEMNLP*.csv --out convabuse.jsonl
    """


@dataclass(frozen=True, kw_only=True)
class Import:
    map: str | None = setting(
        None,
        "Map of labels: a .toml file, or one that `labelmass data sources` lists.",
        metavar="MAP",
        complete=completions.maps,
    )
    out: str = setting(REQUIRED, "File of records, .jsonl.", path="new file")


@as_command("import", command)
@click.argument("source", metavar="FORMAT", shell_complete=completions.sources)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, shell_complete=completions.files
)
def import_(source: str, files: tuple[str, ...], importing: Import) -> None:
    """Turn the files of a public dataset into records; `labelmass data sources` lists the formats.

    Nothing is downloaded. Beside the records stands a .source.json file: hashes, licence, rules.

    \b
    Examples:
      labelmass data import dices diverse_safety_*.csv --out dices.jsonl
      labelmass data import beavertails test.jsonl.gz --map beavertails-llama-guard-3 --out bt.jsonl
      labelmass data import wide-csv mine.csv --out mine.jsonl
    """
    from labelmass.datasets.importing import import_files

    result = import_files(source, files, importing.map)
    beside = result.write(importing.out)
    counts = result.counts()
    width = max(map(len, counts), default=0)
    unknown = _unknown(result.records)
    for label, count in counts.items():
        note = f"  unknown for {unknown[label]}" if label in unknown else ""
        click.echo(f"{label:<{width}}{count:>8}{note}")
    for reason, count in result.left_out.items():
        say(f"left out: {count} {reason}")
    say(f"{len(result.records)} records -> {importing.out}, {beside}")


def _unknown(records: list[dict[str, Any]]) -> dict[str, int]:
    return Counter(label for record in records for label in record.get("unknown", ()))


@dataclass(frozen=True, kw_only=True)
class Split:
    parts: tuple[str, ...] = setting(
        (),
        "Parts and their shares, `train=0.8 test=0.2`, quoted as one word or one at a time.",
        metavar="NAME=SHARE",
    )
    by: str | None = setting(None, "Field that names the part of each record.", metavar="FIELD")
    seed: int = setting(0, "Seed of the split.", within=SEED)
    group: str | None = setting(
        None, "Field whose equal values mark records that stay together.", metavar="FIELD"
    )
    near_duplicates: float | None = setting(
        None,
        "Cosine from which texts stay together, such as 0.8; with --by they are only counted.",
        within=Range(0, 1, low_open=True),
        metavar="COSINE",
    )
    out: str = setting(REQUIRED, "Folder for the parts.", path="new folder")


@as_command("split", command)
@click.argument("source", metavar="FILE", shell_complete=completions.files)
@click.argument("more", metavar="[NAME=SHARE]...", nargs=-1)
def split(source: str, more: tuple[str, ...], split: Split, records: Fields) -> None:
    """Split the records of FILE into DIR/NAME.jsonl, and write down how in DIR/split.json.

    The same records and seed give the same split, whatever their order.

    \b
    Examples:
      labelmass data split all.jsonl --parts train=0.8 test=0.2 --near-duplicates 0.8 --out parts
      labelmass data split chats.jsonl --parts train=0.7 dev=0.1 test=0.2 --group group --out parts
      labelmass data split goemotions.jsonl --by split --near-duplicates 0.8 --out parts
    """
    from labelmass.datasets.splits import keep_split, split_records
    from labelmass.files.writing import file_hash, write_json, write_records

    words = [word for option in (*split.parts, *more) for word in option.split()]
    if bool(words) == bool(split.by):
        raise click.UsageError("name parts (--parts train=0.8 test=0.2) or a field (--by split)")
    if split.by and split.group:
        raise click.UsageError("--group has no say where --by keeps a split")
    shares = _shares(words)
    whole: list[Record] = []
    for line, item in read_source(source, records):
        if isinstance(item, BadRecord):
            raise LabelMassError(f"{source}, line {line}: {item.error}")
        whole.append(item)
    threshold = split.near_duplicates
    if split.by:
        result = keep_split(whole, split.by, threshold=threshold)
    else:
        result = split_records(
            whole, shares, seed=split.seed, group=split.group, threshold=threshold
        )
    folder = Path(split.out)
    for name in result.parts:
        if Path(name).name != name or name.startswith("."):
            raise LabelMassError(f"a part cannot be called {name!r}: it is to be a file name")
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in result.parts.items():
        write_records(folder / f"{name}.jsonl", (record.to_dict() for record in part))
    told = {"input": {"name": Path(source).name, "sha256": file_hash(source)}}
    write_json(folder / "split.json", told | result.report)
    for name, part in result.parts.items():
        click.echo(f"{name:<12}{len(part):>8}")
    for key in ("clusters_of_several", "largest_cluster", "clusters_in_several_parts"):
        if key in result.report:
            say(f"{key.replace('_', ' ')}: {result.report[key]}")
    if result.left_out:
        say(f"{result.left_out} records have no {split.by!r} and are in no part")
    say(f"-> {folder / 'split.json'}")


def _shares(words: list[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for word in words:
        name, equals, share = word.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise click.UsageError(f"--parts {word!r}: expected NAME=SHARE, as train=0.8") from None
        if not name or not equals:
            raise click.UsageError(f"--parts {word!r}: expected NAME=SHARE, as train=0.8")
    return shares


@as_command("sources", command)
@click.argument("name", required=False, shell_complete=completions.sources_and_maps)
def sources(name: str | None, output: JsonOptions) -> None:
    """List the datasets that `labelmass data import` reads, or show one, or a map of labels.

    \b
    Examples:
      labelmass data sources
      labelmass data sources convabuse
      labelmass data sources beavertails-llama-guard-3 > mine.toml
    """
    from labelmass.datasets.sources import SOURCES
    from labelmass.datasets.sources.maps import open_map, shipped_maps

    maps = shipped_maps()
    if name in maps:
        click.echo(open_map(name).text, nl=False)
        return
    if name is not None and name not in SOURCES:
        raise LabelMassError(f"no source {name!r}: one of {', '.join([*SOURCES, *maps])}")
    shown = [SOURCES[name]] if name else list(SOURCES.values())
    if output.json:
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
