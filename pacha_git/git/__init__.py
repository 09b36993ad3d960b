"""Git itself: objects, packs, refs, transport. It has never heard of a model."""
