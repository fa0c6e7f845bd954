"""Ports of loopback for the processes that tests start."""

import os
import random
import socket

_SHARES = 8
_OURS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
"""Which share of the ports is ours, where several test processes run side by side."""

_given: set[int] = set()


def free_port() -> int:
    """A free port of loopback that was never given before.

    It lies below the ephemeral ones: while a process is down, any outgoing connection could take
    one of those, even a client's that tries to reach this very port.
    """
    while True:
        port = random.randrange(20_000 + _OURS, 32_000, _SHARES)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
