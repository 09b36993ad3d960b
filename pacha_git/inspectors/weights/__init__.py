"""The heads of files that hold weights and nothing that runs."""
