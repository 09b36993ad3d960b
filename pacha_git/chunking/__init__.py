"""Where bytes are cut and how the pieces are grouped: pure, pinned by golden vectors, knowing neither Git nor files."""
