"""Certified per-label probabilities from any generative language model."""
