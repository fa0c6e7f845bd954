"""What bulk mail needs of the store."""
