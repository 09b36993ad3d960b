"""The heads and feet of files that hold rows and records, and of those that say which files a dataset is made of."""
