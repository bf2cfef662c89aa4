"""Scores of labels: tables in memory, files in and out."""
