"""The commands: those of every noun, and those that need none."""
