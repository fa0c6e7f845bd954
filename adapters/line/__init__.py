"""LINE official accounts: webhooks in, replies and pushes out, and a simulated platform."""
