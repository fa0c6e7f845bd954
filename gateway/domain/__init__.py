"""The decisions: synchronous and pure, with time and ids as arguments."""
