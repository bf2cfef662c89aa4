"""Each format, hand-written and tiny, as records; what is wrong in a file is named."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import re
from pathlib import Path
from typing import Any

import pytest

from labelmass.datasets.importing import import_files
from labelmass.datasets.sources import SOURCES
from labelmass.datasets.sources.base import SourceFile
from labelmass.datasets.sources.convabuse import LABELS as ABUSE
from labelmass.datasets.sources.semeval2018 import EMOTIONS
from labelmass.datasets.sources.tweettopic import TOPICS
from labelmass.errors import LabelMassError
from labelmass.records import read_records
from labelmass.task import Record, Task

CONVERSATION = "example_id,conv_id,prev_agent,prev_user,agent,user,bot"
BLOCK = [
    *("is_abuse.1", "is_abuse.0", "is_abuse.-1", "is_abuse.-2", "is_abuse.-3"),
    *ABUSE[1:8],
    *("target.generalised", "target.individual", "target.system", "explicit", "implicit"),
]


def rows(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def read(folder: Path, source: str, files: dict[str, str], **options: Any) -> list[dict[str, Any]]:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    found = import_files(source, [folder / name for name in files], **options)
    found.write(folder / "records.jsonl")
    written = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    assert written == found.records
    back = [record for _, record in read_records(folder / "records.jsonl")]
    assert [r.to_dict() for r in back if isinstance(r, Record)] == written
    return written


def wrong(folder: Path, source: str, files: dict[str, str], **options: Any) -> str:
    with pytest.raises(LabelMassError) as caught:
        read(folder, source, files, **options)
    return str(caught.value)


def test_goemotions(tmp_path: Path) -> None:
    names = rows("joy", "love", "neutral")
    found = read(
        tmp_path,
        "goemotions",
        {
            "emotions.txt": names,
            "train.tsv": rows('"She said ""yes""!"\t0,1\ta1', "The bus is blue.\t2\ta2"),
            "test.tsv": rows("Nice.\t0\ta3"),
        },
    )
    assert found == [
        {"id": "a1", "text": 'She said "yes"!', "labels": ["joy", "love"], "split": "train"},
        {"id": "a2", "text": "The bus is blue.", "labels": ["neutral"], "split": "train"},
        {"id": "a3", "text": "Nice.", "labels": ["joy"], "split": "test"},
    ]
    for line, word in {"x\t3\ta": "0 to 2", "x\tjoy\ta": "0 to 2", "x\t1": "2 cells"}.items():
        bad = {"emotions.txt": names, "dev.tsv": rows("fine\t0\tz", line)}
        message = wrong(tmp_path, "goemotions", bad)
        assert "dev.tsv, line 2:" in message and word in message
    assert "one .txt file" in wrong(tmp_path, "goemotions", {"train.tsv": "x\t0\ta\n"})


RATERS = (
    "text,id,author,subreddit,link_id,parent_id,created_utc,rater_id,example_very_unclear,"
    "joy,love,neutral"
)


def test_goemotions_with_raters_across_files(tmp_path: Path) -> None:
    def line(text: str, name: str, rater: int, unclear: bool, *votes: int) -> str:
        return ",".join(
            map(str, (text, name, "who", "sub", "t3", "t1", 1.0, rater, unclear, *votes))
        )

    one = rows(
        RATERS,
        line("What a day", "a", 1, False, 1, 1, 0),
        line("What a day", "a", 7, False, 0, 0, 0),
        line("Hm", "b", 1, True, 0, 0, 0),
    )
    two = rows(
        RATERS,
        line("What a day", "a", 3, False, 1, 0, 0),
        line("What a day", "a", 4, True, 0, 0, 0),
    )
    found = read(tmp_path, "goemotions-raw", {"goemotions_1.csv": one, "goemotions_2.csv": two})
    assert found == [
        {
            "id": "a",
            "text": "What a day",
            "labels": ["joy"],
            "annotators": [["joy", "love"], [], ["joy"]],
            "annotator_ids": ["1", "7", "3"],
            "distribution": {"joy": 0.6667, "love": 0.3333},
            "group": "t3",
        }
    ]
    beside = json.loads((tmp_path / "records.source.json").read_text())
    assert beside["left_out"] == {
        "answers of raters who found the comment very unclear": 2,
        "comments that every rater found very unclear": 1,
    }
    bad = {"x.csv": rows(RATERS, line("t", "a", 1, False, 2, 0, 0))}
    assert "x.csv, line 2: joy is '2'" in wrong(tmp_path, "goemotions-raw", bad)
    assert "no column 'author'" in wrong(tmp_path, "goemotions-raw", {"x.csv": "text,id\n"})


def test_semeval(tmp_path: Path) -> None:
    header = "\t".join(("ID", "Tweet", *EMOTIONS))
    gold = ["0"] * 11
    gold[4] = gold[6] = "1"
    found = read(
        tmp_path,
        "semeval-2018",
        {
            "2018-E-c-En-dev.txt": rows(header, "\t".join(('"t1', 'So "glad', *gold))),
            "2018-E-c-En-test.txt": rows(header, "\t".join(("t2", "Hm", *["NONE"] * 11))),
        },
    )
    assert found == [
        {"id": '"t1', "text": 'So "glad', "labels": ["joy", "optimism"], "split": "dev"},
        {"id": "t2", "text": "Hm", "labels": [], "unknown": list(EMOTIONS), "split": "test"},
    ]
    bad = {"dev.txt": rows(header, "\t".join(("t", "x", *["0"] * 10, "maybe")))}
    assert "line 2: trust is 'maybe': expected 0, 1, NONE" in wrong(tmp_path, "semeval-2018", bad)
    assert set(Task.load("emotions").label_names) == set(EMOTIONS)


def test_mfrc(tmp_path: Path) -> None:
    header = "text,subreddit,bucket,annotator,annotation,confidence"
    lines = [
        'They share all,europe,French politics,annotator00,"Equality,Care",Confident',
        "The train is late,europe,French politics,annotator00,Non-Moral,Confident",
        "They share all,europe,French politics,annotator01,Care,Somewhat Confident",
        "They share all,europe,French politics,annotator02,Thin Morality,Not Confident",
        "They share all,europe,French politics,annotator02,Care,Confident",
    ]
    found = read(tmp_path, "mfrc", {"final_mfrc_data.csv": rows(header, *lines)})
    assert found[0] == {
        "id": "mfrc-2",
        "text": "They share all",
        "labels": ["care"],
        "annotators": [["care", "equality"], ["care"], []],
        "annotator_ids": ["annotator00", "annotator01", "annotator02"],
        "distribution": {"care": 0.6667, "equality": 0.3333},
        "confidence": ["Confident", "Somewhat Confident", "Not Confident"],
        "subreddit": "europe",
    }
    assert (found[1]["id"], found[1]["labels"], found[1]["annotators"]) == ("mfrc-3", [], [[]])
    bad = {"x.csv": rows(header, lines[0].replace("Care", "Fairness"))}
    assert "x.csv, line 2: annotation holds 'fairness'" in wrong(tmp_path, "mfrc", bad)


def post(*answers: tuple[str, list[str]]) -> dict[str, Any]:
    return {
        "post_tokens": ["the", "match", "was", "poor"],
        "annotators": [
            {"label": label, "annotator_id": n, "target": target}
            for n, (label, target) in enumerate(answers, start=200)
        ],
    }


def test_hatexplain(tmp_path: Path) -> None:
    posts = {
        "1_gab": post(
            ("offensive", ["Women", "Women"]), ("Offensive", ["None"]), ("normal", ["Women"])
        ),
        "2_gab": post(("normal", ["None"]), ("offensive", []), ("hatespeech", ["Other"])),
    }
    parts = {"train": [], "val": ["1_gab"], "test": []}
    files = {"dataset.json": json.dumps(posts), "post_id_divisions.json": json.dumps(parts)}
    found = read(tmp_path, "hatexplain", files)
    assert found[0] == {
        "id": "1_gab",
        "text": "the match was poor",
        "labels": ["offensive", "target:Women"],
        "annotators": [["offensive", "target:Women"], ["offensive"], ["target:Women"]],
        "annotator_ids": ["200", "201", "202"],
        "distribution": {"offensive": 0.6667, "target:Women": 0.6667},
        "split": "dev",
    }
    assert found[1]["labels"] == [] and "split" not in found[1]
    assert "malformed JSON" in wrong(tmp_path, "hatexplain", {"dataset.json": "{"})
    posts["2_gab"]["annotators"][0]["label"] = "rude"
    message = wrong(tmp_path, "hatexplain", {"dataset.json": json.dumps(posts)})
    assert "dataset.json, post '2_gab'" in message and "rude" in message
    assert "needs dataset.json" in wrong(tmp_path, "hatexplain", {"p.json": json.dumps(parts)})


def test_brighter(tmp_path: Path) -> None:
    header = "id,text,anger,joy"
    one = rows(header, "eng_train_track_a_00001,So good,0,1", "eng_train_track_b_00002,No!,3,0")
    two = rows(header, "eng_test_track_a_00001,Well,,")
    assert read(tmp_path, "brighter", {"eng.csv": one, "eng2.csv": two}) == [
        {"id": "eng_train_track_a_00001", "text": "So good", "labels": ["joy"], "split": "train"},
        {"id": "eng_train_track_b_00002", "text": "No!", "labels": ["anger"], "split": "train"},
        {
            "id": "eng_test_track_a_00001",
            "text": "Well",
            "labels": [],
            "unknown": ["anger", "joy"],
            "split": "test",
        },
    ]
    bad = {"eng.csv": rows(header, "x,y,no,1")}
    assert "line 2: anger is 'no', not a number" in wrong(tmp_path, "brighter", bad)


def test_brighter_annotators_in_both_layouts(tmp_path: Path) -> None:
    long = ["id,text,emotion,annotator,intensity"]
    wide = ["text_id,text,emotion,Annotator-1,Annotator-2,Annotator-3"]
    ratings = {"Joy": (2, 1, ""), "Anger": (0, 0, 1)}
    for emotion, values in ratings.items():
        wide.append(f"7,Endlich,{emotion},{','.join(map(str, values))}")
        for n, value in enumerate(values):
            long.append(f"7,Endlich,{emotion},person{n}@example.org,{value}")
    long.append("7,Endlich,Anger,person0@example.org,3")
    expected = {
        "id": "7",
        "text": "Endlich",
        "labels": ["joy"],
        "annotators": [["joy"], ["joy"]],
        "annotator_ids": ["rater1", "rater2"],
        "distribution": {"joy": 1.0},
        "mean_intensity": {"anger": 0.0, "joy": 1.5},
    }
    assert read(tmp_path, "brighter-annotators", {"x.csv": rows(*long)}) == [expected]
    assert "example.org" not in (tmp_path / "records.source.json").read_text()
    assert read(tmp_path, "brighter-annotators", {"x.csv": rows(*wide)}) == [expected]
    bad = {"x.csv": rows(*long, "7,Anders,Fear,p,0")}
    assert "line 9: text '7' is another text" in wrong(tmp_path, "brighter-annotators", bad)
    bad = {"x.csv": "text,emotion,who\n"}
    assert "one for each rater" in wrong(tmp_path, "brighter-annotators", bad)


def test_convabuse_by_position(tmp_path: Path) -> None:
    def answer(*yes: str, grade: str = "is_abuse.1") -> list[str]:
        return [str(int(name in (grade, *yes))) for name in BLOCK]

    header = [CONVERSATION, *(f"Annotator{n}_{name}" for n in (1, 2, 3) for name in BLOCK)]
    header[-1] = "Annotator1_implicit"  # upstream names the wrong annotator in places
    blank = [""] * len(BLOCK)
    rude = answer("intellectual", "target.system", "explicit", grade="is_abuse.-2")
    calm = answer("sexist")  # a type without abuse does not count
    twice = ["0, 1" if cell == "0" else "1, 0" for cell in answer(grade="is_abuse.0")]
    lines = [
        ["278.0,c1,Go on.,hello,And?,you are a silly tin,Bot", *rude, *calm, *rude],
        ["279.0,164070.0,,,Hi,see you,Bot", *blank, *twice, *blank],
        ["280.0,c1,,,Hi,see you,Bot", *blank, *blank, *blank],
    ]
    quoted = [[f'"{cell}"' if ", " in cell else cell for cell in line] for line in lines]
    table = rows(",".join(header), *(",".join(line) for line in quoted))
    first, second = read(tmp_path, "convabuse", {"ConvAbuseEMNLPvalid.csv": table})
    chosen = ["abusive", "intellectual", "target_system", "explicit"]
    assert first == {
        "id": "convabuse-278",
        "text": "Agent: Go on.\nUser: hello\nAgent: And?\nUser: you are a silly tin",
        "labels": chosen,
        "annotators": [chosen, [], chosen],
        "annotator_ids": ["Annotator1", "Annotator2", "Annotator3"],
        "distribution": dict.fromkeys(chosen, 0.6667),
        "split": "dev",
        "group": "c1",
        "bot": "Bot",
    }
    assert second["text"] == "Agent: Hi\nUser: see you"
    assert (second["annotators"], second["annotator_ids"]) == ([[]], ["Annotator2"])
    assert second["group"] == "164070"
    bad = table.replace("\n279.0", "\n279.0,more")
    assert "line 3: " in wrong(tmp_path, "convabuse", {"x.csv": bad})
    bad = rows(",".join(header[:-1]))
    assert "17 for each annotator" in wrong(tmp_path, "convabuse", {"x.csv": bad})
    labels = Task.load("conversation-abuse").resolve(first["labels"])
    assert labels == ("intellectual",)


def test_dices(tmp_path: Path) -> None:
    header = "id,rater_id,item_id,context,response,Q_overall"
    lines = [f"{n},{n},4,Hi,Hello,{a}" for n, a in enumerate(("Yes", "No", "Unsure", "Yes"))]
    tie = ["9,1,5,Hi,Bye,Yes", "10,2,5,Hi,Bye,Unsure"]
    name = "diverse_safety_adversarial_dialog_{}.csv"
    small = {name.format(990): rows(header, *lines), name.format(350): rows(header, *tie)}
    first, second = read(tmp_path, "dices", small)
    assert first == {
        "id": "dices990-4",
        "text": "Hi\n\nRESPONSE TO RATE: Hello",
        "labels": ["unsafe"],
        "annotators": [["unsafe"], [], ["unsure"], ["unsafe"]],
        "annotator_ids": ["0", "1", "2", "3"],
        "distribution": {"unsafe": 0.5, "unsure": 0.25},
    }
    assert (second["id"], second["labels"]) == ("dices350-5", ["unsure"])
    bad = {"x.csv": rows(header, "1,1,4,Hi,Hello,Maybe")}
    assert "x.csv, line 2: Q_overall is 'Maybe'" in wrong(tmp_path, "dices", bad)


def coders(*answers: tuple[str, str, str, list[str]]) -> str:
    """A table of id, text, coder and topics, in the columns of TweetTopicXL."""
    table = io.StringIO()
    write = csv.writer(table, lineterminator="\n").writerow
    write(["text", "coder", "tweet", "topics", *TOPICS, "id"])
    for name, text, coder, topics in answers:
        votes = [int(topic in topics) for topic in TOPICS]
        write([text, coder, f"{text} - Instructions", f"frozenset({topics})", *votes, name])
    return table.getvalue()


def published(name: int, *topics: str) -> str:
    return rows(json.dumps({"id": name, "text": "t", "topics": topics}))


GIG = "New shoes\nfor the gig"


def test_tweettopic_joins_the_coders_of_a_tweet(tmp_path: Path) -> None:
    table = coders(
        ("17", GIG, "c9", ["Music"]),
        ("17", GIG, "c2", ["Music", "Fashion & Style"]),
        ("17", GIG, "c9", ["Family"]),
        ("17", GIG, "c4", []),
        ("18", "Hm", "c2", ["Sports"]),
    )
    assert read(tmp_path, "tweettopic", {"en_all.csv": table}) == [
        {
            "id": "17",
            "text": GIG,
            "labels": ["Music"],
            "annotators": [["Music"], ["Fashion & Style", "Music"], []],
            "annotator_ids": ["coder1", "coder2", "coder3"],
            "distribution": {"Fashion & Style": 0.3333, "Music": 0.6667},
        },
        {
            "id": "18",
            "text": "Hm",
            "labels": [],
            "annotators": [["Sports"]],
            "annotator_ids": ["coder2"],
            "distribution": {"Sports": 1.0},
        },
    ]
    beside = json.loads((tmp_path / "records.source.json").read_text())
    assert beside["left_out"] == {"second answers of a coder": 1}


def test_tweettopic_prefers_the_published_labels_and_takes_their_split(tmp_path: Path) -> None:
    table = coders(("17", GIG, "c1", ["Music"]), ("18", "Hm", "c1", ["Sports"]))
    files = {
        "en_all.csv": table,
        "en_train.jsonl": published(17, "Music", "Fashion & Style"),
        "en_validation.jsonl": published(99),
    }
    first, second = read(tmp_path, "tweettopic", files)
    assert (first["labels"], first["split"]) == (["Fashion & Style", "Music"], "train")
    assert (second["labels"], "split" in second) == ([], False)
    beside = json.loads((tmp_path / "records.source.json").read_text())
    assert beside["left_out"] == {"published tweets that no table of coders holds": 1}


def test_a_coder_whom_tweettopic_does_not_name_is_nobody_else(tmp_path: Path) -> None:
    table = coders(("17", GIG, "-99", []), ("18", "Hm", "-99", []))
    ids = [record["annotator_ids"] for record in read(tmp_path, "tweettopic", {"x.csv": table})]
    assert ids == [["coder1"], ["coder2"]]


def test_what_is_wrong_in_a_file_of_tweettopic_is_named(tmp_path: Path) -> None:
    table = coders(("17", GIG, "c1", []))
    for files, message in (
        ({"en_test.jsonl": published(17)}, "tweettopic needs en_all.csv"),
        ({"x.csv": table.replace(",0,17", ",2,17")}, "x.csv, line 2: Other Hobbies is '2'"),
        ({"x.csv": table.replace("Gaming", "Games")}, "no column 'Gaming'"),
        (
            {"x.csv": table, "t.jsonl": published(17, "Mars")},
            "t.jsonl, line 1: topics holds 'Mars'",
        ),
        ({"x.csv": table, "t.jsonl": published(17) * 2}, "line 2: tweet 17 comes twice"),
    ):
        assert message in wrong(tmp_path, "tweettopic", files)


def test_the_preset_has_the_topics_of_the_tables() -> None:
    assert Task.load("tweettopic").label_names == TOPICS


HARMS = ("animal_abuse", "hate_speech,offensive_language", "privacy_violation")


def pair(prompt: str, response: str, *harms: str) -> str:
    category = {harm: harm in harms for harm in HARMS}
    return json.dumps({"prompt": prompt, "response": response, "category": category})


def test_beavertails_keeps_prompts_together(tmp_path: Path) -> None:
    lines = rows(
        pair("Where does he live?", "Ask him.", "privacy_violation", "animal_abuse"),
        pair("Where does he live?", "In a house."),
        pair("Where does he live?", "Ask him."),
    )
    found = read(tmp_path, "beavertails", {"test.jsonl": lines})
    assert found[0] == {
        "id": "test-1",
        "prompt": "Where does he live?",
        "response": "Ask him.",
        "labels": ["animal_abuse", "privacy_violation"],
        "split": "test",
        "group": "test-1",
    }
    assert (found[1]["labels"], found[1]["group"], len(found)) == ([], "test-1", 2)
    beside = json.loads((tmp_path / "records.source.json").read_text())
    assert beside["left_out"] == {"repeats of a prompt and response, with other labels": 1}
    assert "line 2: response is missing" in wrong(
        tmp_path, "beavertails", {"x.jsonl": lines.splitlines()[0] + '\n{"prompt": "p"}'}
    )
    bad = {"x.jsonl": '{"prompt": "p", "response": "r", "category": {"a": 1}}'}
    assert "true or false" in wrong(tmp_path, "beavertails", bad)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_packed_files(tmp_path: Path, pack: Any) -> None:
    ending = "gz" if pack is gzip.compress else "xz"
    file = tmp_path / f"train.jsonl.{ending}"
    file.write_bytes(pack(rows(pair("p", "r")).encode()))
    (record,) = import_files("beavertails", [file]).records
    assert record["split"] == "train"
    file.write_bytes(b"no archive")
    with pytest.raises(LabelMassError, match="cannot be unpacked"):
        import_files("beavertails", [file])


@pytest.mark.parametrize("version", [2, 3])
def test_guard_sets(tmp_path: Path, version: int) -> None:
    key = f"llama_guard_{version}_categories"
    lines = [{"unsafe_query": "q", key: ["S1", "S10"]}, {"unsafe_query": "q", key: ["S2"]}]
    file = {"content_moderation.jsonl": rows(*map(json.dumps, lines))}
    (found,) = read(tmp_path, f"guard-{version}", file)
    assert found == {"id": f"lg{version}-0001", "text": "q", "labels": ["S1", "S10"]}
    assert Task.load(f"llama-guard-{version}").resolve(found["labels"])
    other = wrong(tmp_path, f"guard-{5 - version}", file)
    assert f"line 1: llama_guard_{5 - version}_categories is missing: expected a list" in other
    bad = {"x.jsonl": json.dumps({"unsafe_query": "q", key: ["violence"]})}
    assert "codes such as S1" in wrong(tmp_path, f"guard-{version}", bad)


def test_simple_safety_tests(tmp_path: Path) -> None:
    table = rows(
        "id,harm_area,category,prompts_final", "sst_001,Scams and fraud,Info,How to cheat?"
    )
    assert read(tmp_path, "simple-safety-tests", {"x.csv": table}) == [
        {"id": "sst_001", "text": "How to cheat?", "labels": ["Scams and fraud"]}
    ]


def test_wide_csv_knows_unknown_labels(tmp_path: Path) -> None:
    table = rows("id,text,split,food,service", "a,Good soup,train,1,", ",Slow,,0,1")
    assert read(tmp_path, "wide-csv", {"mine.csv": table}) == [
        {
            "id": "a",
            "text": "Good soup",
            "labels": ["food"],
            "unknown": ["service"],
            "split": "train",
        },
        {"id": "mine-3", "text": "Slow", "labels": ["service"]},
    ]
    pairs = rows("prompt\tresponse\tsafe", "p\tr\t1")
    (found,) = read(tmp_path, "wide-csv", {"mine.tsv": pairs})
    assert found == {"id": "mine-2", "prompt": "p", "response": "r", "labels": ["safe"]}
    assert "line 2: food is 'yes': expected 0, 1 or nothing" in wrong(
        tmp_path, "wide-csv", {"x.csv": rows("text,food", "t,yes")}
    )
    assert "a column for each label" in wrong(tmp_path, "wide-csv", {"x.csv": "text,id\n"})


def test_wide_csv_as_pandas_and_others_write_it(tmp_path: Path) -> None:
    table = rows(",text,Unnamed: 0,food,service", "0,Good,7,True,0.0", "1,Slow,8,False,1.0")
    assert [record["labels"] for record in read(tmp_path, "wide-csv", {"mine.csv": table})] == [
        ["food"],
        ["service"],
    ]
    semicolons = rows("text;food;service", "So, so;1;", "Good;false;TRUE")
    assert read(tmp_path, "wide-csv", {"mine.csv": semicolons}) == [
        {"id": "mine-2", "text": "So, so", "labels": ["food"], "unknown": ["service"]},
        {"id": "mine-3", "text": "Good", "labels": ["service"]},
    ]


def test_a_table_that_is_broken_is_named(tmp_path: Path) -> None:
    for table, said in {
        'text,food\na,1\n"b,0\nc,1\n': "x.csv, line 3: .*line 3 has a quotation mark that is never",
        "text,food\na,1,0\n": "x.csv, line 2: 3 cells where there are 2 columns",
        "text,food,food\na,1,0\n": "the column 'food' stands 2 times",
        "text,food\na,2\n": "line 2: food is '2': expected 0, 1 or nothing",
    }.items():
        assert re.search(said, wrong(tmp_path, "wide-csv", {"x.csv": table})), table
    twice = '{"prompt": "p", "prompt": "q", "response": "r", "category": {}}'
    assert "line 1: malformed JSON: the key 'prompt' stands twice" in wrong(
        tmp_path, "beavertails", {"x.jsonl": twice}
    )


def test_what_no_format_can_be(tmp_path: Path) -> None:
    assert "the file is empty" in wrong(tmp_path, "mfrc", {"x.csv": ""})
    assert "no source 'reddit'" in wrong(tmp_path, "reddit", {"x.csv": "a"})
    twice = {name: rows("id,text,a", "1,t,1") for name in ("x.csv", "y.csv")}
    assert "two records have the id '1'" in wrong(tmp_path, "wide-csv", twice)
    (tmp_path / "x.csv").write_bytes(b"text,a\nb,1\n\xffc,1\n")
    with pytest.raises(LabelMassError, match=r"x.csv, line 3: byte 0xff is not UTF-8"):
        import_files("wide-csv", [tmp_path / "x.csv"])
    with pytest.raises(LabelMassError, match="cannot read"):
        import_files("wide-csv", [tmp_path / "none.csv"])


def test_a_record_without_a_text_is_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(rows("text,a", "t,1", '" ",0'))
    found = import_files("wide-csv", [tmp_path / "x.csv"])
    assert (len(found.records), found.left_out) == (1, {"records: text is empty": 1})


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train.tsv", "train"),
        ("2018-E-c-En-test-gold.txt", "test"),
        ("ConvAbuseEMNLPvalid.csv", "dev"),
        ("30k_test.jsonl.gz", "test"),
        ("Validation.csv", "dev"),
        ("latest.csv", None),
        ("trained.csv", None),
    ],
)
def test_the_part_a_file_name_tells(name: str, part: str | None) -> None:
    assert SourceFile(name, b"").part == part


def test_every_source_says_what_it_is() -> None:
    for name, source in SOURCES.items():
        assert name == source.name
        assert all((source.summary, source.home, source.licence, source.files, source.rules))
