"""One interface to three kinds of transformers: causal language models, encoder-decoder models and classifiers."""
