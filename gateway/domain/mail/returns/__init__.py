"""What comes back of a mail: replies and reports, read, and what they mean for an address."""
