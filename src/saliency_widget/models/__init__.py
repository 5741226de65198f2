"""One small interface to a transformer, of three kinds: models that go on with a text, translate it, classify it."""
