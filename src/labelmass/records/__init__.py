"""Records as people bring them: readers of every kind of file."""

from labelmass.records.readers import BadRecord, count_records, read_records, settle_fields
from labelmass.task.record import Fields

__all__ = ["BadRecord", "Fields", "count_records", "read_records", "settle_fields"]
