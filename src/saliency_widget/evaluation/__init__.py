"""How far a map or an explanation can be trusted."""
