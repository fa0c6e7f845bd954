"""The DNS on loopback, with the records that a test or the demo puts into it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

_UDP_BYTES = 512
"""RFC 1035, 2.3.4: what is larger is cut, and asked for again by TCP."""

_MOST_ALIASES = 8


class NameServer:
    """Answers by UDP and TCP on one port, with authority for everything.

    Records are given as zone files write them: ``{("a.example", "MX"): ["10 mx.a.example"]}``; a
    text of TXT of any length is cut into pieces by itself. A name in :attr:`broken` gets SERVFAIL.
    """

    def __init__(self, records: Mapping[tuple[str, str], Sequence[str]] | None = None) -> None:
        self._records: dict[tuple[dns.name.Name, str], list[str]] = {}
        self.broken: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        """Names and types, in order; those by TCP, too."""
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        for (name, kind), values in (records or {}).items():
            self.put(name, kind, *values)

    def put(self, name: str, kind: str, *values: str) -> None:
        """Say what is at a name; no values take away what was there."""
        key = (dns.name.from_text(name.lower()), kind)
        self._records[key] = [_pieces(each) if kind == "TXT" else each for each in values]
        if not values:
            del self._records[key]

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._udp is not None  # noqa: S101 - asked of one that was started
        host, port = self._udp.get_extra_info("sockname")[:2]
        return host, port

    async def __aenter__(self) -> "NameServer":
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._stream, "127.0.0.1", 0)
        port = self._tcp.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), ("127.0.0.1", port)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._udp is not None  # noqa: S101 - made on entering
        assert self._tcp is not None  # noqa: S101 - made on entering
        self._udp.close()
        self._tcp.close()
        await self._tcp.wait_closed()

    def answer(self, wire: bytes, most: int) -> bytes | None:
        """The answer to a query, in at most so many bytes; ``None`` to what is none."""
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return None
        if len(query.question) != 1:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        asked = query.question[0]
        kind = dns.rdatatype.to_text(asked.rdtype)
        self.asked.append((asked.name.to_text(omit_final_dot=True).lower(), kind))
        if self.asked[-1][0] in self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(answer, asked.name, kind)
        whole = answer.to_wire()
        if len(whole) <= most:
            return whole
        answer.answer.clear()
        answer.flags |= dns.flags.TC
        return answer.to_wire()

    def _fill(self, answer: dns.message.Message, name: dns.name.Name, kind: str) -> None:
        for _ in range(_MOST_ALIASES):
            name = name.canonicalize()
            values = self._records.get((name, kind))
            if values:
                answer.answer.append(dns.rrset.from_text_list(name, 60, "IN", kind, values))
                return
            alias = self._records.get((name, "CNAME"))
            if not alias:
                break
            answer.answer.append(dns.rrset.from_text_list(name, 60, "IN", "CNAME", alias))
            name = dns.name.from_text(alias[0])
        if not any(known.is_subdomain(name) for known, _ in self._records):
            answer.set_rcode(dns.rcode.NXDOMAIN)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length = int.from_bytes(await reader.readexactly(2))
            answer = self.answer(await reader.readexactly(length), 65_535)
            if answer is not None:
                writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: Any = None  # asyncio's own is no DatagramTransport by its type

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, _UDP_BYTES)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


def _pieces(text: str) -> str:
    """A text as a zone file has it: pieces of at most 255 characters in quotes."""
    pieces = [text[at : at + 250] for at in range(0, len(text), 250)] or [""]
    return " ".join(
        '"{}"'.format(piece.replace("\\", "\\\\").replace('"', '\\"')) for piece in pieces
    )
