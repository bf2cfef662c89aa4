"""Templates laid out with Jinja2: every text is escaped, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from labelmass._text import printable
from labelmass.errors import LabelMassError
from labelmass.present.drawing import panel_svg, swatch_svg

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def render(template: str, **values: Any) -> str:
    """The template with these values; LabelMassError without Jinja2."""
    return environment().get_template(template).render(**values)


def asset(name: str) -> Markup:
    """A style or a script of the package, to be embedded as it is."""
    return _markup(source(name))


def source(name: str) -> str:
    """The text of a file of the package."""
    return (resources.files("labelmass.reporting") / name).read_text(encoding="utf-8")


def embedded(data: Mapping[str, Any]) -> Markup:
    """Strict JSON for an element that a browser does not show or run."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for one in "<>&":
        text = text.replace(one, f"\\u{ord(one):04x}")
    return _markup(text)


def _markup(text: str) -> Markup:
    """A text of the package's own making, which is not escaped."""
    environment()
    from markupsafe import Markup

    return Markup(text)


@cache
def environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise LabelMassError('a report needs Jinja2: pip install "labelmass[figures]"') from None
    built = Environment(
        loader=PackageLoader("labelmass.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if isinstance(value, str) else value,
        trim_blocks=True,
    )
    built.filters["repr"] = repr
    drawings: dict[str, Any] = built.globals
    drawings["panel_svg"] = lambda panel, name: _markup(panel_svg(panel, name))
    drawings["swatch_svg"] = lambda mark, name: _markup(swatch_svg(mark, name))
    return built
