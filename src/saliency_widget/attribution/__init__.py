"""The attribution engine: from a model and a request to a matrix of scores. Knows no widget."""
