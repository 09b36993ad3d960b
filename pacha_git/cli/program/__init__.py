"""The program around the commands: words, flags, help, completion, failures."""
