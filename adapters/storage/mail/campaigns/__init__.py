"""Mail campaigns in the store: a file a subject."""
