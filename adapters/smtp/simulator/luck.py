"""Luck that hangs on an address alone: the same seed gives the same person the same fate."""

import hashlib


def luck(seed: int, what: str, address: str) -> float:
    """A number from 0 up to, not including, 1."""
    drawn = hashlib.blake2b(f"{seed}/{what}/{address.lower()}".encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "big") / 2**64
