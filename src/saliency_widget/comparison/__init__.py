"""Comparison of two finished maps: both and their difference on one text, interactive, without a model."""
