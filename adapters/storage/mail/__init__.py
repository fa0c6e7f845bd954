"""Mail lists in the store: a file a subject."""
