"""Packs: written, indexed, read and deleted, straight from the disk."""
