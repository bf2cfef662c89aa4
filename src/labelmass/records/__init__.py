"""Records as people bring them: readers of every kind of file."""

from labelmass.records.readers import BadRecord, count_records, read_records

__all__ = ["BadRecord", "count_records", "read_records"]
