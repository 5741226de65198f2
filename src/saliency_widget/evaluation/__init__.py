"""Measures of how far a map or an explanation can be trusted."""
