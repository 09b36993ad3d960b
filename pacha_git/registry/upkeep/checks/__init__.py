"""What ``doctor`` looks at beside damage, a file for each concern."""
