"""The bodies of the Git hooks; what Git runs are shims of a few lines that call ``git-pacha hook run …``."""
