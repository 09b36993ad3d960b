"""The verbs that make, check, repair and serve a registry."""
