"""From whatever a user calls a model to one of ours: a hub id, a folder, an adapter, a GGUF file, a demo model."""
