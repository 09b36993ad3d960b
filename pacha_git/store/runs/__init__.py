"""Runs as they are stored: journals of live ones, commits of all, series of points."""
