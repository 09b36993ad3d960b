"""The commands that stand below a noun: ``git pacha model …``."""
