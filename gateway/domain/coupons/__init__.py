"""Coupons (クーポン): what a shop hands out, one ticket a friend, and what becomes of a ticket."""
