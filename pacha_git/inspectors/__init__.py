"""What files say of themselves: bytes in, facts out; nothing is loaded, nothing believed, and no registry known."""
