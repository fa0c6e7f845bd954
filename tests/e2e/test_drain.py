"""SIGTERM: what was accepted is answered, nothing more is accepted, and the end comes in time."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlencode

import pytest

from tests.adapters.twilio.forms import CALL, PUBLIC_URL, VOICE, sign
from tests.e2e.conftest import NewDaemon
from tests.support.daemon import PATIENCE, TOKEN, Daemon, measured, wait_for
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.process, pytest.mark.slow]

DRAIN_SECONDS = 10
MARGIN = 20.0  # beyond the drain itself: closing a store that hangs, and the end of the process


def connected(daemon: Daemon) -> socket.socket:
    """A connection to the public listener."""
    return socket.create_connection(("127.0.0.1", daemon.public), timeout=PATIENCE)


def webhook(**more: str) -> bytes:
    """A whole voice webhook as it goes over the wire."""
    form = VOICE | more
    body = urlencode(form).encode()
    signature = sign(f"{PUBLIC_URL}/twilio/voice", form.items(), TOKEN)
    head = (
        "POST /twilio/voice HTTP/1.1\r\nHost: gw.example.jp\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        f"X-Twilio-Signature: {signature}\r\n\r\n"
    )
    return head.encode() + body


def answer_on(connection: socket.socket) -> str:
    """All that comes until the other side closes."""
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received.decode()


def refused(daemon: Daemon) -> bool:
    """Whether a new connection to the public listener is refused."""
    try:
        connected(daemon).close()
    except ConnectionRefusedError:
        return True
    return False


def begun(daemon: Daemon) -> float:
    """Send SIGTERM; returns when, once readiness says so and nothing more is accepted."""
    began = time.monotonic()
    daemon.running.send_signal(signal.SIGTERM)
    daemon.wait_until("draining")
    wait_for(lambda: refused(daemon), "it still accepts")
    return began


def ended(daemon: Daemon, began: float) -> float:
    """Wait for a clean end; returns the seconds since ``began``."""
    assert daemon.running.wait(DRAIN_SECONDS + MARGIN) == 0
    took = time.monotonic() - began
    assert refused(daemon)
    return took


def test_a_slow_request_is_answered_and_a_second_signal_does_no_harm(
    on_each_store: Daemon,
) -> None:
    """In drain readiness is 503, new connections are refused, and a request whose body is still
    coming is answered and kept; SIGTERM and SIGINT on top of it change nothing.
    """
    daemon = on_each_store
    daemon.environment["GATEWAY_HTTP_DRAIN_SECONDS"] = str(DRAIN_SECONDS)
    daemon.run()
    whole = webhook()
    with closing(connected(daemon)) as slow, closing(connected(daemon)):
        slow.sendall(whole[:-100])
        # Whoever came later was answered: the slow one's beginning has been read.
        assert daemon.post("voice", VOICE | {"CallSid": "CA1"}).status == 200
        began = begun(daemon)
        daemon.running.send_signal(signal.SIGTERM)
        daemon.running.send_signal(signal.SIGINT)
        assert daemon.readiness() == "draining"
        slow.sendall(whole[-100:])
        answer = answer_on(slow)
    assert answer.startswith("HTTP/1.1 200 OK")
    assert "<Dial" in answer
    took = ended(daemon, began)
    measured(f"exit 0 after {took:.2f} s")
    assert took < DRAIN_SECONDS
    assert CALL in daemon.calls()


def test_a_request_that_never_ends_is_cut_at_the_end_of_the_drain(new_daemon: NewDaemon) -> None:
    """A client that never sends its body does not keep the daemon from ending in time."""
    daemon = new_daemon(http_drain_seconds=2, http_body_seconds=60)
    daemon.run()
    with closing(connected(daemon)) as stuck:
        stuck.sendall(webhook()[:-100])
        began = begun(daemon)
        took = ended(daemon, began)
    assert 1.9 < took < 2 + MARGIN


@contextmanager
def paused(server: PostgresServer) -> Iterator[None]:
    """A PostgreSQL that answers nothing."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_hung_store_does_not_hold_up_the_end(
    store: str, request: pytest.FixtureRequest, new_daemon: NewDaemon
) -> None:
    """With a store that hangs, requests in flight are answered from the cache, their events go to
    the spool and are there after the next start.
    """
    if store == "sqlite":
        daemon = new_daemon(http_drain_seconds=DRAIN_SECONDS)
        hung = daemon.locked()
    else:
        server: PostgresServer = request.getfixturevalue("own_postgres")
        daemon = new_daemon("daemon", server.url(), http_drain_seconds=DRAIN_SECONDS)
        hung = paused(server)
    daemon.run()
    with hung:
        with closing(connected(daemon)) as connection:
            connection.sendall(webhook())
            wait_for(lambda: daemon.metric("store_queue_units") == 1, "it came never")
            began = begun(daemon)
            answer = answer_on(connection)
            answered = time.monotonic() - began
        took = ended(daemon, began)
    measured(f"{store}: answered after {answered:.2f} s, exit 0 after {took:.2f} s")
    assert "<Dial" in answer
    assert answered < DRAIN_SECONDS
    assert took < DRAIN_SECONDS + MARGIN
    daemon.start()
    daemon.wait_until("ready")
    assert CALL in daemon.calls()
    assert daemon.terminate() == 0
