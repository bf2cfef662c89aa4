"""Files: one strict reader for each kind, on which everything that reads files is built.

Every reader of rows gives (place, row or RecordError): what is wrong with a row stands where the
row would, names its line, and stops nothing. A file as a whole that cannot be read is a
LabelMassError, and so is one that holds a single value, JSON or TOML, and is malformed.
"""

from labelmass.files.delimited import Row, Table, bad_byte, read_rows, read_table
from labelmass.files.documents import (
    current_keys,
    parse_toml,
    read_json,
    read_text,
    read_toml,
    shaped,
)
from labelmass.files.excel import open_sheet
from labelmass.files.lines import parse_json, read_json_lines, read_lines
from labelmass.files.opening import PACKED, contents_ending, ending, open_file, unpacked
from labelmass.files.parquet import ArrowTable, import_pyarrow, open_parquet
from labelmass.files.saved_dataset import is_saved_dataset, open_saved_dataset

__all__ = [
    "PACKED",
    "ArrowTable",
    "Row",
    "Table",
    "bad_byte",
    "contents_ending",
    "current_keys",
    "ending",
    "import_pyarrow",
    "is_saved_dataset",
    "open_file",
    "open_parquet",
    "open_saved_dataset",
    "open_sheet",
    "parse_json",
    "parse_toml",
    "read_json",
    "read_json_lines",
    "read_lines",
    "read_rows",
    "read_table",
    "read_text",
    "read_toml",
    "shaped",
    "unpacked",
]
