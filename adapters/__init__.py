"""Everything that talks to the world; adapters know the floors below and never each other."""
