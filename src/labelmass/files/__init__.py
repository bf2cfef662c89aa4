"""Files of rows: one strict reader for each kind, on which everything that reads rows is built.

Every reader gives (place, row or RecordError): what is wrong with a row stands where the row would,
names its line, and stops nothing. A file as a whole that cannot be read is a LabelMassError.
"""

from labelmass.files.delimited import Row, Table, bad_byte, read_rows, read_table
from labelmass.files.lines import parse_json, read_json_lines, read_lines
from labelmass.files.opening import PACKED, ending, open_file, unpacked
from labelmass.files.parquet import ParquetTable, import_pyarrow, open_parquet

__all__ = [
    "PACKED",
    "ParquetTable",
    "Row",
    "Table",
    "bad_byte",
    "ending",
    "import_pyarrow",
    "open_file",
    "open_parquet",
    "parse_json",
    "read_json_lines",
    "read_lines",
    "read_rows",
    "read_table",
    "unpacked",
]
