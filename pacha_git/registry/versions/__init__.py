"""The verbs that make versions and change what is said of them."""
