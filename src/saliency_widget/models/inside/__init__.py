"""The network from within: a shadow of the user's model, which the engine runs, and the probe's facts about it."""
