"""Refs of the files backend: read, locked, and moved by compare-and-swap."""
