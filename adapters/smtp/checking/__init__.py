"""What DNS says of whoever sends."""
