"""Two finished maps and their difference, live on one text, without a model."""
