"""Explanations that language models give of their answers, in words and in numbers."""
