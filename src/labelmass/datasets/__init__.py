"""Public datasets in, splits, near duplicates."""
