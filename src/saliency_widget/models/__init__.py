"""From whatever a user calls a model to one small interface; tokens; the demo model."""
