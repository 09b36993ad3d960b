"""The language of ``--where``: read into a tree; it runs nothing."""
