"""The bytes of versions: written as payload commits, read back, checked."""
