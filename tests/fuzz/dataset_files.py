"""A few rows of every public dataset, in the files that its authors publish."""

from __future__ import annotations

import json

from labelmass.datasets.sources.convabuse import LABELS as ABUSE
from labelmass.datasets.sources.semeval2018 import EMOTIONS
from labelmass.datasets.sources.tweettopic import TOPICS


def rows(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def _posts() -> str:
    answers = [
        {"label": label, "annotator_id": n, "target": ["Women"]}
        for n, label in enumerate(("offensive", "normal", "hatespeech"))
    ]
    return json.dumps({"1_gab": {"post_tokens": ["a", "match"], "annotators": answers}})


def _abuse() -> str:
    grades = [f"is_abuse.{grade}" for grade in (1, 0, -1, -2, -3)]
    targets = ["target.generalised", "target.individual", "target.system", "explicit", "implicit"]
    block = [*grades, *ABUSE[1:8], *targets]
    head = ["example_id", "conv_id", "prev_agent", "prev_user", "agent", "user", "bot"]
    head += [f"Annotator{n}_{name}" for n in (1, 2, 3) for name in block]
    answer = [str(int(name in ("is_abuse.-2", "target.system"))) for name in block]
    cells = ["278.0", "c1", "Go on.", "hello", "And?", "you tin", "Bot", *answer, *answer]
    return rows(",".join(head), ",".join([*cells, *[""] * len(block)]))


def _guard(version: int) -> dict[str, str]:
    key = f"llama_guard_{version}_categories"
    return {"rows.jsonl": rows(json.dumps({"unsafe_query": "q", key: ["S1", "S10"]}))}


def _topics() -> str:
    names = [f'"{topic}"' for topic in TOPICS]
    return rows(
        ",".join(["text", "coder", "tweet", "topics", *names, "id"]),
        ",".join(["New shoes!", "c1", "t", "x", *"0001010000000000000", "17"]),
        ",".join(["New shoes!", "-99", "t", "x", *"0000010000000000000", "17"]),
    )


FILES: dict[str, dict[str, str]] = {
    "goemotions": {
        "emotions.txt": rows("joy", "love", "neutral"),
        "train.tsv": rows('"She said ""yes""!"\t0,1\ta1', "The bus is blue.\t2\ta2"),
    },
    "goemotions-raw": {
        "rows.csv": rows(
            "text,id,author,subreddit,link_id,parent_id,created_utc,rater_id,example_very_unclear,"
            "joy,love",
            "What a day,a,who,sub,t3,t1,1.0,1,False,1,1",
            "What a day,a,who,sub,t3,t1,1.0,7,False,0,0",
        )
    },
    "semeval-2018": {
        "dev.txt": rows(
            "\t".join(("ID", "Tweet", *EMOTIONS)), "\t".join(("t1", "So", *"01" * 5, "NONE"))
        )
    },
    "mfrc": {
        "rows.csv": rows(
            "text,subreddit,bucket,annotator,annotation,confidence",
            'They share,europe,French politics,annotator00,"Equality,Care",Confident',
        )
    },
    "hatexplain": {
        "dataset.json": _posts(),
        "post_id_divisions.json": '{"train": ["1_gab"], "val": [], "test": []}',
    },
    "brighter": {"eng.csv": rows("id,text,anger,joy", "eng_train_track_a_00001,So good,0,1")},
    "brighter-annotators": {
        "deu.csv": rows(
            "id,text,emotion,annotator,intensity", "7,Endlich,Joy,p0,2", "7,Endlich,Joy,p1,"
        )
    },
    "convabuse": {"rows.csv": _abuse()},
    "dices": {
        "diverse_safety_adversarial_dialog_350.csv": rows(
            "id,rater_id,item_id,context,response,Q_overall", "1,1,4,Hi,Hello,Yes"
        )
    },
    "tweettopic": {
        "en_all.csv": _topics(),
        "en_train.jsonl": '{"id": 17, "text": "New shoes!", "topics": ["Fashion & Style"]}\n',
    },
    "beavertails": {
        "rows.jsonl": rows('{"prompt": "p", "response": "r", "category": {"a": true, "b": false}}')
    },
    "guard-3": _guard(3),
    "guard-2": _guard(2),
    "simple-safety-tests": {
        "rows.csv": rows("id,harm_area,category,prompts_final", "s1,Scams,Info,How to cheat?")
    },
    "wide-csv": {
        "rows.csv": rows("id,text,split,food,service", "a,Good soup,train,1,", ",Slow,,0,1")
    },
}
"""By source, then by the name of the file."""
