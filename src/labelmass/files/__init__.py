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
from labelmass.files.lines import parse_json, read_json_lines, read_lines
from labelmass.files.opening import PACKED, ending, open_file, unpacked
from labelmass.files.parquet import ParquetTable, import_pyarrow, open_parquet

__all__ = [
    "PACKED",
    "ParquetTable",
    "Row",
    "Table",
    "bad_byte",
    "current_keys",
    "ending",
    "import_pyarrow",
    "open_file",
    "open_parquet",
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
