"""Twilio: its webhooks, its XML, and a simulator of it."""
