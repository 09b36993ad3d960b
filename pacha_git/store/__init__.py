"""How the registry's things lie in Git: records, events, payloads, settings, and the indexes that can be rebuilt."""
