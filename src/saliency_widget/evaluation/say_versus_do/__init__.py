"""The reasons that a language model gives, beside the map of its own computation."""
