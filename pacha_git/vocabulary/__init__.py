"""The words of the registry and their grammar: kinds, names, versions, stages, addresses, refs, and SPECs as typed."""
