"""What other tools left, taken in as runs and models."""
