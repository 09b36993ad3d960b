"""Runs: begun, logged to, sealed, compared and drawn."""
