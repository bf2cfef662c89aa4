"""The command, the note beside the records, and maps of labels."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from helpers.prerequisites import data_folder
from helpers.property_tests import property_test
from labelmass.cli import cli
from labelmass.datasets.importing import import_files
from labelmass.datasets.sources import SOURCES
from labelmass.datasets.sources.base import SourceFile
from labelmass.datasets.sources.maps import LabelMap, load_map, open_map, shipped_maps
from labelmass.errors import LabelMassError
from labelmass.records import BadRecord, read_records
from labelmass.targets import targets_of
from labelmass.task import Record, Task

TABLE = "id,text,food,service,price\na,Good soup,1,,0\nb,Slow and dear,0,1,1\nc,Fine,0,0,0\n"


def run(*args: str, code: int = 0) -> Any:
    result = CliRunner().invoke(cli, list(args))
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text(TABLE)
    return tmp_path


@pytest.mark.usefixtures("table")
def test_records_and_where_they_came_from() -> None:
    result = run("data", "import", "wide-csv", "mine.csv", "--out", "mine.jsonl")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["food", "1"] in lines and ["price", "1"] in lines
    assert ["service", "1", "unknown", "for", "1"] in lines
    assert "3 records -> mine.jsonl" in result.stderr
    kept = json.loads(Path("mine.source.json").read_text())
    assert kept["files"] == [
        {
            "name": "mine.csv",
            "bytes": len(TABLE),
            "sha256": hashlib.sha256(TABLE.encode()).hexdigest(),
        }
    ]
    written = hashlib.sha256(Path("mine.jsonl").read_bytes()).hexdigest()
    assert kept["written"] == {"name": "mine.jsonl", "sha256": written}
    assert (kept["source"], kept["records"], kept["splits"]) == ("wide-csv", 3, {"none": 3})
    assert kept["rules"] == list(SOURCES["wide-csv"].rules)
    assert kept["labels"] == {"food": 1, "service": 1, "price": 1}
    assert sorted(path.name for path in Path().iterdir()) == [
        "mine.csv",
        "mine.jsonl",
        "mine.source.json",
    ]


@pytest.mark.usefixtures("table")
def test_a_map_of_ones_own() -> None:
    Path("map.toml").write_text(
        'targets = ["staff", "kitchen", "view"]\n'
        '[labels]\nfood = ["kitchen"]\nservice = ["staff", "kitchen"]\nprice = []\n'
    )
    run("data", "import", "wide-csv", "mine.csv", "--map", "map.toml", "--out", "mine.jsonl")
    found = [json.loads(line) for line in Path("mine.jsonl").read_text().splitlines()]
    assert [record["labels"] for record in found] == [["kitchen"], ["staff", "kitchen"], []]
    assert [record["unknown"] for record in found] == [["staff", "view"], ["view"], ["view"]]
    kept = json.loads(Path("mine.source.json").read_text())
    assert kept["map"]["sha256"] == hashlib.sha256(Path("map.toml").read_bytes()).hexdigest()
    assert kept["labels"] == {"kitchen": 2, "staff": 1, "view": 0}


@pytest.mark.parametrize(
    ("toml", "word"),
    [
        ('targets = ["a"]\n[labels]\nfood = ["a"]\n', "no entry for the label"),
        ('targets = ["a"]\n[labels]\nfood = ["b"]\n', "labels.food"),
        ('targets = ["a"]\n[labels]\nfood = "a"\n', "labels.food"),
        ('[labels]\nfood = ["a"]\n', "targets is wrong"),
        ('targets = ["a"]\nunmapped = "no"\n[labels]\n', "unmapped is 'no'"),
        ('targets = ["a"]\nextra = 1\n[labels]\n', "unknown key 'extra'"),
        ("targets = [", "map.toml"),
    ],
)
@pytest.mark.usefixtures("table")
def test_a_wrong_map_is_named(toml: str, word: str) -> None:
    Path("map.toml").write_text(toml)
    with pytest.raises(LabelMassError) as caught:
        import_files("wide-csv", ["mine.csv"], "map.toml")
    assert "map.toml" in str(caught.value) and word in str(caught.value)


@pytest.mark.usefixtures("table")
def test_what_cannot_be_is_named() -> None:
    def message(*args: str) -> str:
        result = CliRunner().invoke(cli, ["data", "import", *args])
        assert isinstance(result.exception, LabelMassError | SystemExit)
        return str(result.exception) + result.output

    assert "must end in .jsonl" in message("wide-csv", "mine.csv", "--out", "mine.csv")
    assert Path("mine.csv").read_text() == TABLE
    assert "no map" in message("wide-csv", "mine.csv", "--map", "none", "--out", "x.jsonl")
    assert "no source" in message("reviews", "mine.csv", "--out", "x.jsonl")


def test_shipped_maps_fit_their_tasks() -> None:
    assert set(shipped_maps()) == {"beavertails-llama-guard-2", "beavertails-llama-guard-3"}
    for version, unjudged in ((3, "S3 S4 S5 S8 S9 S14"), (2, "S3 S4 S7 S8")):
        label_map = load_map(open_map(f"beavertails-llama-guard-{version}"))
        task = Task.load(f"llama-guard-{version}")
        assert label_map.targets == tuple(label.code for label in task.labels)
        assert label_map.unjudged == unjudged.split()
        assert len(label_map.labels) == 14 and all(map(len, label_map.labels.values()))
        text = run("data", "sources", f"beavertails-llama-guard-{version}").stdout
        assert tomllib.loads(text)["labels"].keys() == label_map.labels.keys()


names = st.sets(st.sampled_from("abcd"))


@property_test(100)
@given(st.lists(names, min_size=1, max_size=4), names, st.fixed_dictionaries(
    {label: st.lists(st.sampled_from("XYZ"), unique=True) for label in "abcd"}
))  # fmt: skip
def test_a_map_says_no_more_than_the_data(
    votes: list[set[str]], unknown: set[str], labels: dict[str, list[str]]
) -> None:
    """Against three-valued logic: a target is the `or` of the labels that go to it."""
    file = SourceFile("m.toml", b"")
    goes = {label: tuple(targets) for label, targets in labels.items()}
    label_map = LabelMap(file, ("X", "Y", "Z"), goes, "unknown")
    gold = votes[0] - unknown
    record = {"labels": sorted(gold), "unknown": sorted(unknown), "annotators": votes}
    mapped = label_map.apply(record)
    for target in "XYZ":
        parts = [label for label in "abcd" if target in labels[label]]
        yes = any(label in gold for label in parts)
        open_ = not parts or any(label in unknown for label in parts)
        assert (target in mapped["labels"]) == yes
        assert (target in mapped.get("unknown", ())) == (not yes and open_)
        share = sum(any(label in vote for label in parts) for vote in votes) / len(votes)
        assert mapped["distribution"].get(target, 0) == pytest.approx(share, abs=5e-5)


def test_sources_are_listed_and_shown() -> None:
    listed = run("data", "sources").stdout
    assert all(name in listed for name in SOURCES)
    assert "more than half" in run("data", "sources", "mfrc").stdout
    told = json.loads(run("data", "sources", "--json").stdout)
    assert [each["name"] for each in told] == list(SOURCES)
    assert isinstance(CliRunner().invoke(cli, ["data", "sources", "x"]).exception, LabelMassError)


def test_help_has_examples() -> None:
    for name in ("import", "sources"):
        text = run("data", name, "--help").stdout
        assert "Example" in text and f"labelmass data {name}" in text
        assert f"\n  {name} " in run("data", "--help").stdout


def test_the_page_names_every_source_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    named = {
        line.split()[3] for line in page.splitlines() if line.startswith("labelmass data import")
    }
    assert named == set(SOURCES)
    for source in SOURCES.values():
        assert f"`{source.name}`" in page


@pytest.mark.data
def test_records_of_a_folder_are_read() -> None:
    """Every JSONL file whose records have a form of ours: not a text with a response beside it."""
    folder = data_folder()
    assert folder is not None
    read = 0
    for path in sorted(folder.glob("*.jsonl")):
        first = json.loads(path.read_text().partition("\n")[0])
        if {"text", "response"} <= first.keys():
            continue
        items = [item for _, item in read_records(path)]
        assert items and not [item for item in items if isinstance(item, BadRecord)], path
        assert len({item.id for item in items}) == len(items), path
        read += 1
    assert read, f"no record file in {folder}"


@pytest.mark.data
def test_the_presets_know_every_topic_of_a_folders_tweets() -> None:
    """In every file of the folder that is named after TweetTopic, if there is one."""
    folder = data_folder()
    assert folder is not None
    for path in folder.glob("tweettopic*.jsonl"):
        records = [item for _, item in read_records(path) if isinstance(item, Record)]
        for task in map(Task.load, ("tweettopic", "tweettopic-7")):
            assert len(targets_of(task, records)) == len(records)
