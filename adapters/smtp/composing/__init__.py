"""Mails are made: bodies, headers, links, signatures, in processes of their own."""
