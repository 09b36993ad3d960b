"""How results become text for people."""
