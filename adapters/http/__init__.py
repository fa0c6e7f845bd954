"""The HTTP edge: listeners, limits, request ids, errors, drain."""
