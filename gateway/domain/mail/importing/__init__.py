"""Recipients out of a CSV file."""
