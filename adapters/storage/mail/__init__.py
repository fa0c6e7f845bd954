"""Bulk mail in the store: lists here, a file a subject, and campaigns in a room of their own."""
