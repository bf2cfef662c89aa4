"""Rooms know the rooms below them and never those above, and no import goes in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import labelmass

ROOT = Path(labelmass.__file__).parent

FLOORS = (
    ("errors",),
    ("_types",),
    ("_canary", "_math", "_ranges", "_text"),
    ("_settings",),
    ("files",),
    ("artifacts", "present", "provenance"),
    ("task",),
    ("records", "targets"),
    ("lm",),
    ("answers",),
    ("estimators",),
    ("calibration",),
    ("decisions", "supervised"),
    ("scores",),
    ("evaluation", "analysis", "datasets"),
    ("scoring",),
    ("workflows",),
    ("training", "reporting"),
    ("sklearn", "service"),
    ("cli",),
)
"""Rooms by floor, from the ground up; a room may use those of lower floors."""

FRONT_DOOR = ("labelmass", "labelmass.__main__")
"""Modules that stand before the house: they use whatever they show."""


def modules() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in ROOT.rglob("*.py"):
        parts = ("labelmass", *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(tree: ast.AST, known: set[str], *, lazy: bool) -> Iterator[str]:
    """The modules of the package that a module imports; lazy: inside functions, too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
            continue
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name in known)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labelmass"):
            for one in node.names:
                inner = f"{node.module}.{one.name}"
                yield inner if inner in known else str(node.module)
        else:
            yield from imports(node, known, lazy=lazy)


def test_every_room_has_a_floor() -> None:
    rooms = {name.split(".")[1] for name in modules() if name not in FRONT_DOOR}
    assert rooms == {room for floor in FLOORS for room in floor}


def test_no_import_goes_up() -> None:
    floor_of = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    floor_of["labelmass"] = len(FLOORS)  # the front door
    known, up = set(modules()), list[str]()
    for name, path in modules().items():
        if name in FRONT_DOOR:
            continue
        room = name.split(".")[1]
        for other in imports(ast.parse(path.read_text()), known, lazy=True):
            next_room = other.split(".")[-1 if other == "labelmass" else 1]
            if next_room != room and floor_of[next_room] >= floor_of[room]:
                up.append(f"{name} imports {other}")
    assert not up


def test_no_module_is_imported_in_a_circle() -> None:
    known = set(modules())
    graph = {
        name: set(imports(ast.parse(path.read_text()), known, lazy=False)) - {name}
        for name, path in modules().items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
