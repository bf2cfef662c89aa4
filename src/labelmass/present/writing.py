"""Tables as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io

from tabulate import DataRow, Line, TableFormat, tabulate

from labelmass.present.tables import Cell, Table

LATEX_ARROWS = {"": "", "↑": r" $\uparrow$", "↓": r" $\downarrow$"}
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{one: f"\\{one}" for one in "&%$#_{}"},
}


def markdown(table: Table) -> str:
    """A pipe table with the details of each cell, and the notes below."""
    heads = [_pipes(f"{head.text} {head.arrow}".strip()) for head in table.heads]
    rows = [[_markdown_cell(cell) for cell in row] for row in table.cells]
    sides = ["left" if head.prose else "right" for head in table.heads]
    text = tabulate(rows, heads, "pipe", disable_numparse=True, colalign=sides)
    notes = [f"- {note}" for note in table.notes]
    return "\n".join([text, "", *notes] if notes else [text]) + "\n"


def latex(table: Table) -> str:
    """A `tabular` with booktabs lines, without details; the notes stand above as comments."""
    heads = [f"{_latex(head.text)}{LATEX_ARROWS[head.arrow]}" for head in table.heads]
    rows = [[_latex_cell(cell) for cell in row] for row in table.cells]
    sides = "".join("l" if head.prose else "r" for head in table.heads)
    row = DataRow("", " & ", r" \\")
    look = TableFormat(
        lineabove=Line(f"\\begin{{tabular}}{{{sides}}}\n\\toprule", "", "", ""),
        linebelowheader=Line(r"\midrule", "", "", ""),
        linebetweenrows=None,
        linebelow=Line("\\bottomrule\n\\end{tabular}", "", "", ""),
        headerrow=row,
        datarow=row,
        padding=0,
        with_header_hide=None,
    )
    text = tabulate(rows, heads, look, disable_numparse=True, stralign=None)
    return "\n".join([*(f"% {note}" for note in table.notes), text]) + "\n"


def csv_text(table: Table) -> str:
    """Comma-separated values of the texts alone."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([head.text for head in table.heads])
    lines.writerows([cell.text for cell in row] for row in table.cells)
    return text.getvalue()


def _markdown_cell(cell: Cell) -> str:
    text = _pipes(" ".join([cell.text, *cell.details]) + cell.verdict)
    return f"**{text}**" if cell.best else text


def _latex_cell(cell: Cell) -> str:
    text = _latex(cell.text)
    return rf"\textbf{{{text}}}" if cell.best else text


def _pipes(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _latex(text: str) -> str:
    return "".join(LATEX.get(one, one) for one in " ".join(text.split()))
