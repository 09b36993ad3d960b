"""The command line: the only place that prints, prompts or exits; what is done, the registry floor does."""
