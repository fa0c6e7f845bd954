"""Bulk mail: one verb each."""
