"""The searchable projection of records, events and runs, in SQLite: a cache, rebuilt at will."""
