"""The network from within: a shadow of the user's model that may be run in any way, and what was found out about it."""
