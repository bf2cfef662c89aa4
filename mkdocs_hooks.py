"""What the documentation site adds: a page of all options, and formulas as MathML.

MathML needs no script and no network, and a formula that cannot be read stops the build.
"""

from __future__ import annotations

import html
import re
from inspect import cleandoc
from textwrap import dedent
from typing import Any

import click
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

from labelmass.cli import cli, walk
from labelmass.cli.declare import Command

OPTIONS_PAGE = "reference/options.md"

HEAD = """# Every option

Each command with its options, made from the program itself. [Commands](../commands.md) says what
the options have in common.
"""

_MATH = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the page of all options."""
    files.append(File.generated(config, OPTIONS_PAGE, content=options_page()))
    return files


def on_page_content(content: str, **kwargs: Any) -> str:
    """Formulas, which arithmatex leaves as LaTeX, as MathML."""
    return _MATH.sub(_mathml, content)


def options_page() -> str:
    """Every command with its help and its options, by section, as Markdown."""
    parts = [HEAD]
    for path, command in walk(cli):
        if path and not isinstance(command, click.Group):
            parts.append(_command(" ".join(path), command))
    return "\n".join(parts)


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"labelmass {name}")
    usage = command.collect_usage_pieces(context)
    lines = [f"## {name}", "", "```text", f"labelmass {name} {' '.join(usage)}", "```", ""]
    for paragraph in cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):  # an example, not to be wrapped
            title, _, code = paragraph.removeprefix("\b\n").partition("\n")
            lines += [title, "", "```sh", dedent(code), "```", ""]
        else:
            lines += [html.escape(paragraph, quote=False), ""]
    sections = command.sections if isinstance(command, Command) else {}
    mine = {id(option) for options in sections.values() for option in options}
    others = [one for one in command.params if id(one) not in mine]
    for title, options in {**sections, "Other options": others}.items():
        rows = [one.get_help_record(context) for one in options if isinstance(one, click.Option)]
        found = [row for row in rows if row is not None]
        if found:
            lines += [f"**{title}**", "", "| option | |", "|---|---|"]
            for flag, about in found:
                lines.append(f"| <code>{_cell(flag)}</code> | {_cell(about)} |")
            lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False).replace("|", "&#124;")


def _mathml(match: re.Match[str]) -> str:
    display = "block" if match[2] == "[" else "inline"
    return convert(html.unescape(match[3]).strip(), display=display)
