"""The columns of tables, read from end to end for datasheets."""
