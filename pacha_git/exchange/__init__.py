"""What moves between registries: look at a remote, plan, send, receive, check what arrived."""
