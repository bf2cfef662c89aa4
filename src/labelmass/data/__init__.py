"""Records in, results out: readers, the journal of a run, and writers."""

from labelmass.data.journal import Journal, journal_path
from labelmass.data.journal_lines import read_journal, read_stamps, read_version
from labelmass.data.readers import BadRecord, count_records, read_records
from labelmass.data.resuming import Changes, Input, match
from labelmass.data.writers import export, load_results

__all__ = [
    "BadRecord",
    "Changes",
    "Input",
    "Journal",
    "count_records",
    "export",
    "journal_path",
    "load_results",
    "match",
    "read_journal",
    "read_records",
    "read_stamps",
    "read_version",
]
