"""Loading of models from a hub id, a folder, an adapter, a GGUF file or an object, and the demo models."""
