"""The mail of the demonstration."""
