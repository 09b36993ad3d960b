"""What the registry says, as typed values, and the canonical bytes they are written in; pure, no Git and no disk."""
