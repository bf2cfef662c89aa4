"""Build the sdist, a wheel from it, and try the wheel in an environment that has nothing else.

Needs nothing but Python and a package index:

    python .ci/check_wheel.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ("-c", str(ROOT / "constraints.txt"))

USE = """
import sys, warnings
warnings.simplefilter("error")
import labelmass
from labelmass.task import Task, presets

public = {name: getattr(labelmass, name) for name in labelmass.__all__}
print(len(public), "public names")
tasks = [Task.load(name) for name in presets()]
print(len(tasks), "presets")

def script(prompt, path):
    return {"joy": 0.7, "none": 0.2} if not path else {"<end>": 1.0}

task = Task.from_toml('''
name = "mood"
labels = ["joy", "fear"]
instruction = "Which moods? {label_names}"
format = "comma"
chat = false
''')
model = labelmass.ScriptedLanguageModel(script, ["joy", "fear", "none", ", ", "<end>"])
scores = labelmass.score(["We won!"], task, model)
assert abs(scores[0]["joy"].p - 0.7) < 1e-9, scores[0]["joy"]
assert scores[0].signature.version == labelmass.__version__
scores.save("scores.jsonl")
assert labelmass.Scores.load("scores.jsonl")[0]["joy"].p == scores[0]["joy"].p
labelmass.compare("labelled.jsonl", task, models=model, out="run", draws=10)
assert not {"torch", "transformers", "matplotlib"} & set(sys.modules)
print("scored with", labelmass.__version__)
"""

EXTRAS = {
    "transformers": (
        ["score", "texts.jsonl", "--task", "emotions"],
        ["score", "texts.jsonl", "--task", "emotions", "--model", "some/model"],
        [
            "fit",
            "encoder",
            "labelled.jsonl",
            "--task",
            "mood.toml",
            "--features",
            "minilm",
            "--out",
            "encoder",
        ],
        ["fit", "probe", "labelled.jsonl", "--task", "mood.toml", "--out", "probe"],
        ["train", "labelled.jsonl", "--task", "mood.toml", "--out", "tuned"],
    ),
    "serve": (["serve", "--task", "emotions", "--check"],),
    "parquet": (["score", "texts.parquet", "--task", "emotions"],),
    "figures": (
        ["report", "run", "--out", "page.html"],
        ["analyse", "run", "--figures", "figures"],
    ),
}
"""Commands that need an extra, by the extra that they must name."""


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """Output of a command, which must end with `status`."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode != status:
        sys.exit(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


def environment(folder: Path, *requirements: str) -> Path:
    """The folder of programs of a new environment."""
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "-q", *requirements, cwd=ROOT)
    return programs


def build(work: Path) -> Path:
    """The wheel, made from the sdist."""
    builder = environment(work / "builder", "build")
    run(builder / "python", "-m", "build", "-q", "--outdir", work / "dist", ROOT, cwd=work)
    (sdist,) = (work / "dist").glob("*.tar.gz")
    (wheel,) = (work / "dist").glob("*.whl")
    if tracked := tracked_files():
        check_contents(sdist, wheel, tracked)
    print(f"built {sdist.name} and {wheel.name}")
    return wheel


def tracked_files() -> set[str]:
    """Files that git knows and that exist; none in a copy without git."""
    if not shutil.which("git"):
        return set()
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def check_contents(sdist: Path, wheel: Path, tracked: set[str]) -> None:
    """The sdist holds every file, and the wheel every file of the package and nothing else."""
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    if absent := tracked - packed:
        sys.exit(f"{sdist.name} lacks {', '.join(sorted(absent))}")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {name.removeprefix("src/") for name in tracked if name.startswith("src/")}
    if packed != package:
        sys.exit(f"{wheel.name} lacks or adds: {', '.join(sorted(packed ^ package))}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wheel = build(work)
        programs = environment(work / "empty", *CONSTRAINTS, str(wheel))
        command = programs / "labelmass"
        write_inputs(work)
        print(run(programs / "python", "-c", USE, cwd=work), end="")
        assert "Usage: labelmass" in run(command, "--help", cwd=work)
        assert "any-place" in run(command, "list", "methods", cwd=work)
        assert wheel.name.split("-")[1] in run(command, "--version", cwd=work)
        for extra, commands in EXTRAS.items():
            for arguments in commands:
                check_extra(extra, run(command, *arguments, cwd=work, status=1))
        print("commands that need an extra name it")


def write_inputs(work: Path) -> None:
    texts = [{"text": "We won!", "labels": ["joy"]}, {"text": "Ok.", "labels": []}] * 20
    (work / "texts.jsonl").write_text('{"text": "We won!"}\n')
    (work / "labelled.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    (work / "mood.toml").write_text(
        'name = "mood"\nlabels = ["joy", "fear"]\nformat = "comma"\ninstruction = "{label_names}"\n'
    )
    (work / "texts.parquet").write_bytes(b"PAR1")


def check_extra(extra: str, output: str) -> None:
    """The last line of a command names the extra, and there is no traceback."""
    *_, last = output.strip().splitlines()
    if f"labelmass[{extra}]" not in last or "Traceback" in output:
        sys.exit(f"this does not name the extra {extra} in one line:\n{output}")


if __name__ == "__main__":
    main()
