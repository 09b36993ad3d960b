"""The verbs that only read."""
