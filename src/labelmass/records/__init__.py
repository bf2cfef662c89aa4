"""Records as people bring them: readers of every kind of file."""

from labelmass.records.readers import BadRecord, count_records, read_records, settle_fields

__all__ = ["BadRecord", "count_records", "read_records", "settle_fields"]
