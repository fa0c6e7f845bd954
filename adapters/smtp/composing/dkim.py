"""DKIM signatures (RFC 6376): RSA with SHA-256, both canonicalizations relaxed.

dkimpy makes 86 signatures a second, ``cryptography`` alone 2,000 to 4,000 a core; nearly all of the
time here is that of RSA, during which other threads run.
"""

import re
from base64 import b64encode
from binascii import b2a_base64
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from gateway.errors import Misconfigured, Refusal, Refused

LEAST_BITS = 2048
MOST_BITS = 4096
"""Verifiers need not take longer keys (RFC 8301 3.2)."""

_OVERSIGNED = (
    b"from",
    b"reply-to",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
"""Signed once more often than they occur, so that nobody can add one to a signed mail."""

_SIGNED = frozenset({b"feedback-id", b"content-disposition", b"sender"})
"""Signed where they occur."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")
_SELECTOR = re.compile(rf"(?=.{{1,63}}\Z){_LABEL}(?:\.{_LABEL})*")

_BLANKS = re.compile(rb"[ \t]+")
_NAME = re.compile(rb"[!-9;-~]+")
_LINE_BLANKS = re.compile(rb"[ \t]+(?=\r\n)")


class Signer:
    """Signs mails for one domain and selector; threads may share it."""

    def __init__(self, domain: str, selector: str, pem: bytes) -> None:
        """Take a key.

        Args:
            domain: d=, in A-labels.
            selector: s=; its record stands at ``selector._domainkey.domain``.
            pem: an RSA private key without a password.

        Raises:
            Misconfigured: where the key is none for this, or is too short.
        """
        self.domain = domain.lower()
        self.selector = selector.lower()
        if not _DOMAIN.fullmatch(self.domain) or not _SELECTOR.fullmatch(self.selector):
            raise Misconfigured(["a DKIM domain or selector is no name in the DNS"])
        self._key = _loaded(pem, f"DKIM key {self.selector} of {self.domain}")
        self._start = (
            f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={self.domain};\r\n s={self.selector}; t="
        ).encode()

    @property
    def record(self) -> str:
        """The text of the TXT record that publishes the key (RFC 6376 3.6.1)."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"v=DKIM1; k=rsa; p={b64encode(public).decode()}"

    def sign(self, message: bytes, now_seconds: int) -> bytes:
        """``message`` with a signature before its other headers, and a line end at its end.

        Args:
            message: its lines end in CRLF.
            now_seconds: since 1970 in UTC, as t=.

        Raises:
            Refused: HEADER_INVALID, where it has no From, a line that is no header, or CR or LF
                alone.
        """
        if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
            raise Refused(Refusal.HEADER_INVALID, "a line ends in CR or LF alone")
        if not message.endswith(b"\r\n"):
            message += b"\r\n"  # as SMTP would
        head, _, body = message.partition(b"\r\n\r\n")
        names, hashed = _hashed_headers(head)
        digest = b2a_base64(sha256(relaxed_body(body)).digest(), newline=False)
        unsigned = b"%b%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (
            self._start,
            now_seconds,
            names,
            digest,
        )
        own = b"dkim-signature:" + _BLANKS.sub(b" ", unsigned.replace(b"\r\n", b""))
        signature = self._key.sign(hashed + own, padding.PKCS1v15(), hashes.SHA256())
        lines = _in_lines(b2a_base64(signature, newline=False))
        return b"".join((b"DKIM-Signature: ", unsigned, lines, b"\r\n", message))


def relaxed_body(body: bytes) -> bytes:
    """A body whose lines all end in CRLF, as it is hashed (RFC 6376 3.4.4)."""
    if b"  " in body or b"\t" in body or b" \r\n" in body:
        body = _BLANKS.sub(b" ", body)
        body = _LINE_BLANKS.sub(b"", body)
    body = body.rstrip(b"\r\n")  # of whole line ends, by what sign() takes
    return body + b"\r\n" if body else b""


def _loaded(pem: bytes, what: str) -> RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Misconfigured([f"{what}: is no private key in PEM without a password"]) from None
    if not isinstance(key, RSAPrivateKey):
        raise Misconfigured([f"{what}: is no RSA key"])
    if not LEAST_BITS <= key.key_size <= MOST_BITS:
        bits = f"{key.key_size} bits, not {LEAST_BITS} to {MOST_BITS}"
        raise Misconfigured([f"{what}: has {bits}"])
    return key


def _hashed_headers(head: bytes) -> tuple[bytes, bytes]:
    """The names for h=, and the headers that they stand for as they are hashed."""
    fields: dict[bytes, list[bytes]] = {}
    for field in _unfolded(head):
        name, colon, value = field.partition(b":")
        name = name.rstrip(b" ").lower()
        if not colon or _NAME.fullmatch(name) is None:
            raise Refused(Refusal.HEADER_INVALID, "a line is no header")
        fields.setdefault(name, []).append(b"%b:%b\r\n" % (name, value.strip(b" ")))
    if b"from" not in fields:
        raise Refused(Refusal.HEADER_INVALID, "there is no From")
    names: list[bytes] = []
    hashed: list[bytes] = []
    for name in _OVERSIGNED:
        lines = fields.get(name, ())
        names += [name] * (len(lines) + 1)
        hashed += reversed(lines)  # the last one first (RFC 6376 5.4.2)
    for name in sorted(_SIGNED & fields.keys()):
        lines = fields[name]
        names += [name] * len(lines)
        hashed += reversed(lines)
    return _folded(tuple(names)), b"".join(hashed)


def _unfolded(head: bytes) -> list[bytes]:
    """The headers, each in one line, with single blanks (RFC 6376 3.4.2)."""
    joined = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    if b"\t" in joined or b"  " in joined:
        joined = _BLANKS.sub(b" ", joined)
    return joined.split(b"\r\n")


@lru_cache(64)
def _folded(names: tuple[bytes, ...]) -> bytes:
    """Names with colons between them, in lines."""
    lines = [names[0]]
    for name in names[1:]:
        if len(lines[-1]) + len(name) > 70:
            lines.append(name)
        else:
            lines[-1] += b":" + name
    return b":\r\n ".join(lines)


def _in_lines(data: bytes) -> bytes:
    return b"\r\n ".join([data[at : at + 72] for at in range(0, len(data), 72)])
