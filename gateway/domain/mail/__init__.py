"""Bulk mail: what is sent to whom, and what comes back of it."""
