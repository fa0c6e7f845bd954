"""What DNS says of whoever sends, and whether relays take a connection of ours."""
