"""Fields of frozen dataclasses that say what they mean and what they may be.

One field is an argument in Python and an option on the command line: the class checks it, and
`labelmass.cli` makes the option.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_args, get_type_hints

from labelmass._ranges import Range
from labelmass.errors import LabelMassError

T = TypeVar("T")

_KEY = "labelmass"

REQUIRED: Any = object()
"""Default of a setting that must be given."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Metadata of a settings field.

    help: a sentence for people. within: the numbers it may be. choices: the words it may be; those
    of a `Literal` are taken from the type. flags: on the command line, `--name` of the field unless
    given; `--on/--off` for a choice of two. metavar: what stands for the value in the help. path:
    the file or folder it names, which must be there unless it is a new one. parse: turns what was
    given into the value, or raises LabelMassError. complete: what a shell completes the value with,
    as `shell_complete` of click.
    """

    help: str
    within: Range | None = None
    choices: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    path: Literal["file", "folder", "new file", "new folder"] | None = None
    parse: Callable[[Any], Any] | None = None
    complete: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A setting of a dataclass: its field's name, type and default, `REQUIRED` if it has none."""

    name: str
    kind: Any
    default: Any
    setting: Setting

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it may be, none if it is no word."""
        if self.setting.choices:
            return self.setting.choices
        return tuple(word for part in (self.kind, *get_args(self.kind)) for word in _words(part))


def setting(
    default: T,
    help: str,
    *flags: str,
    within: Range | None = None,
    choices: Collection[str] = (),
    metavar: str | None = None,
    path: Literal["file", "folder", "new file", "new folder"] | None = None,
    parse: Callable[[Any], Any] | None = None,
    complete: Callable[..., Any] | None = None,
) -> T:
    """A field of a dataclass with a meaning, see `Setting`."""
    said = Setting(help, within, tuple(choices), flags, metavar, path, parse, complete)
    made = (
        field(metadata={_KEY: said})
        if default is REQUIRED
        else field(default=default, metadata={_KEY: said})
    )
    return cast("T", made)


@cache
def settings_of(kind: type) -> tuple[Declared, ...]:
    """The settings of a dataclass, in order; other fields are passed over."""
    hints = get_type_hints(kind)
    return tuple(
        Declared(
            field_.name,
            hints[field_.name],
            REQUIRED if field_.default is MISSING else field_.default,
            field_.metadata[_KEY],
        )
        for field_ in fields(kind)
        if _KEY in field_.metadata
    )


def check_settings(made: Any, error: type[LabelMassError] = LabelMassError) -> None:
    """Raise `error`, which names the setting and what it may be, unless each is what it may be.

    None is allowed where it is the default.
    """
    for one in settings_of(type(made)):
        value = getattr(made, one.name)
        if value is None and one.default is None:
            continue
        if one.setting.within is not None:
            one.setting.within.check(one.name, value, error)
        if one.choices and value not in one.choices:
            raise error(f"{one.name} is {value!r}: {' or '.join(one.choices)}")


def expect(
    name: str,
    value: object,
    kind: type | tuple[type, ...],
    wanted: str = "",
    error: type[LabelMassError] = LabelMassError,
) -> None:
    """Raise `error`, which says what was given and what is wanted, unless it is of this kind.

    wanted: in words; by default the kind's name, and that it can be loaded where it can.
    """
    if not isinstance(value, kind):
        if not wanted and isinstance(kind, type):
            article = "" if kind.__name__.endswith("s") else "a "
            hint = f": see {kind.__name__}.load" if hasattr(kind, "load") else ""
            wanted = f"{article}{kind.__name__}{hint}"
        shown = repr(value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise error(f"{name} is {shown}, not {wanted}")


def _words(kind: Any) -> tuple[str, ...]:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(one.value for one in kind)
    return tuple(one for one in get_args(kind) if isinstance(one, str))
