"""The verbs of the registry, one per file: they take plain values, return values, raise errors, and never print."""
