"""Tsunagi: a telephony and messaging gateway for the advertisers of a marketing-service firm."""

__version__ = "0.1.0"
