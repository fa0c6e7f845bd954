"""Bulk mail in the API."""
