"""The client side of SMTP: connections to relays."""
