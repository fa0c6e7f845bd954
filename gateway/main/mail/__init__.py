"""Bulk mail, wired."""
