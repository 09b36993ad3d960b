"""pacha-git: a registry for models, datasets, recipes and runs that is a Git repository."""
