"""Files that hold files: zip and tar, and the formats that are one of them."""
