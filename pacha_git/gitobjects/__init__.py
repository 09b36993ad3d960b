"""Git's objects: bytes to values and back, pure; the one place that knows SHA-1, 20 and 40."""
