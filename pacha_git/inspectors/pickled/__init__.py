"""Pickles, bare, compressed or within others' files: followed on paper, never loaded."""
