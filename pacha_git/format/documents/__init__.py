"""What people write beside a record: cards, datasheets and recipes, as values and as text."""
