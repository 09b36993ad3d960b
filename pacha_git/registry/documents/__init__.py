"""Cards, datasheets and their skeletons, shown and written."""
