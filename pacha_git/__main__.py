"""Runs the command line as ``python -m pacha_git``."""

from __future__ import annotations

import sys

from pacha_git.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
