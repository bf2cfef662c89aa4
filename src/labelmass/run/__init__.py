"""Plans, drivers and saved trees: the only caller of a language model."""
