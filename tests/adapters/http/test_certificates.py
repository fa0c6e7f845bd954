"""When a server's certificate ends is told of any server that speaks TLS, trusted or not."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.http import certificates
from adapters.http.certificates import expiry_of

T = TypeVar("T")

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
LATER = NOW + dt.timedelta(days=90)
PAST = NOW - dt.timedelta(hours=1)


def run(test: Awaitable[T]) -> T:
    """As the daemon runs: on uvloop, whose TLS is its own."""

    async def whole() -> T:
        return await test

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())


def speaking(folder: Path, ends: dt.datetime) -> ssl.SSLContext:
    """For a server with a certificate of its own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gw.example.jp")])
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - dt.timedelta(days=1))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes what comes, until nothing comes any more, and says nothing."""
    while await reader.read(65_536):
        pass
    writer.close()


async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A web server without TLS."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    writer.close()


async def curt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One that hangs up on everybody."""
    writer.close()


@asynccontextmanager
async def listening(answer: Answering, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback; yields its port."""
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("ends", [LATER, PAST])
def test_the_end_of_a_certificate_is_read_be_it_trusted_or_over(
    ends: dt.datetime, tmp_path: Path
) -> None:
    """To the second, and also of one that nobody would trust: the alarm is on its end."""

    async def asked() -> float:
        async with listening(silent, speaking(tmp_path, ends)) as port:
            return await expiry_of("127.0.0.1", port)

    assert run(asked()) == ends.timestamp()


def test_the_server_is_asked_by_its_name(tmp_path: Path) -> None:
    """One with many names shows the certificate of the one asked for (RFC 6066, section 3)."""
    names = []
    context = speaking(tmp_path, LATER)
    context.sni_callback = lambda _, name, __: names.append(name)

    async def asked() -> float:
        async with listening(silent, context) as port:
            return await expiry_of("localhost", port)

    assert run(asked()) == LATER.timestamp()
    assert names == ["localhost"]


@pytest.mark.parametrize("answer", [silent, plain, curt])
def test_who_comes_to_no_handshake_is_an_error_in_time(
    answer: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be it a server that is silent, one without TLS, or one that hangs up."""
    if answer is silent:
        monkeypatch.setattr(certificates, "_SECONDS", 0.2)

    async def asked() -> float:
        async with listening(answer) as port:
            return await expiry_of("127.0.0.1", port)

    with pytest.raises(OSError):  # noqa: PT011 - what the text says differs by system
        run(asked())


@pytest.mark.parametrize("host", ["127.0.0.1", f"{'a' * 64}.localhost"])
def test_who_is_not_there_is_an_error(host: str) -> None:
    """Nobody listens on port 1; and a name may be such that nobody can have it."""
    with pytest.raises(OSError):  # noqa: PT011 - as above
        run(expiry_of(host, 1))


def test_what_is_no_certificate_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that OpenSSL takes may still be one that cannot be read."""

    def unreadable(_: bytes) -> x509.Certificate:
        raise ValueError("error parsing asn1 value")

    monkeypatch.setattr(x509, "load_der_x509_certificate", unreadable)

    async def asked() -> float:
        async with listening(silent, speaking(tmp_path, LATER)) as port:
            return await expiry_of("127.0.0.1", port)

    with pytest.raises(OSError, match="cannot be read: error parsing"):
        run(asked())
