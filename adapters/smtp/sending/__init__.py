"""Letters of campaigns, from the claim to the result."""
