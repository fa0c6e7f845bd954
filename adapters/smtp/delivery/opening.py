"""Opening a session with a relay: connection, greeting, EHLO, TLS, AUTH."""

import asyncio
import base64
import ssl

from adapters.smtp.delivery.answers import Reply, answered
from adapters.smtp.delivery.flights import Features, Owner
from adapters.smtp.delivery.settings import RelayConfig
from adapters.smtp.delivery.wire import Ended, Wire
from gateway.domain.mail.answers import Answer, Stage


class Unopened(Exception):
    """A session could not be opened; nothing was sent. ``answer`` tells at which stage."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.stage}: {answer.code or answer.text}")
        self.answer = answer


async def open_session(
    config: RelayConfig, owner: Owner, context: ssl.SSLContext | None
) -> tuple[Wire, Features]:
    """A connection on which letters may follow, and what it offers.

    ``context`` is that of :func:`tls_context`. Under ``opportunistic``, a server whose TLS does
    not work is asked a second time without.

    Raises:
        Unopened: the relay cannot be reached, does not want us, or offers less than asked for.
    """
    try:
        return await _open(config, owner, context)
    except Unopened as failed:
        if config.tls != "opportunistic" or failed.answer.stage != "tls":
            raise
        return await _open(config, owner, None)


def tls_context(config: RelayConfig) -> ssl.SSLContext | None:
    """What TLS is spoken with; ``None`` where it is not. Reads files, so not for the loop.

    Raises:
        OSError: ``ca_file`` cannot be read, or holds no certificates.
    """
    if config.tls == "off":
        return None
    context = ssl.create_default_context(cafile=config.ca_file or None)
    if config.tls == "opportunistic" or not config.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _open(
    config: RelayConfig, owner: Owner, context: ssl.SSLContext | None
) -> tuple[Wire, Features]:
    wire = Wire(owner, config.seconds, config.messages_per_connection)
    try:
        await _connect(config, wire, context if config.tls == "implicit" else None)
        return wire, await _greet(config, wire, context)
    except BaseException as error:  # also where the opening itself was given up
        wire.abort()
        if not isinstance(error, Unopened) or error.answer.stage == "tls":
            wire.connection_lost(None)  # asyncio does not tell of it while hands are shaken
        raise


async def _connect(config: RelayConfig, wire: Wire, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    name = config.host if context else None
    stage: Stage = "tls" if context else "connect"
    try:
        async with asyncio.timeout(config.seconds.connect):
            await loop.create_connection(
                lambda: wire, config.host, config.port, ssl=context, server_hostname=name
            )
    except TimeoutError as error:
        raise _unopened(stage, "timeout") from error
    except ssl.SSLError as error:
        raise _unopened("tls", error.reason or "tls_failed") from error
    except ConnectionRefusedError as error:
        raise _unopened("connect", "refused") from error
    except OSError as error:
        raise _unopened("connect", error.strerror or "not_connected") from error


async def _greet(config: RelayConfig, wire: Wire, context: ssl.SSLContext | None) -> Features:
    stage: Stage = "greeting"
    try:
        _check(await wire.hear(config.seconds.greeting), stage)
        stage = "ehlo"
        features = await _ehlo(config, wire)
        is_secure = config.tls == "implicit"
        if context is not None and not is_secure:
            stage = "tls"
            is_secure = await _secure(config, wire, context, features)
            if is_secure:
                stage = "ehlo"
                features = await _ehlo(config, wire)
        if config.username:
            stage = "auth"
            if not config.is_loopback and not (is_secure and _is_verified(context)):
                raise _unopened("auth", "unverified" if is_secure else "no_tls")
            await _authenticate(config, wire, features)
    except Ended as error:
        raise _unopened(stage, str(error)) from error
    return features


async def _ehlo(config: RelayConfig, wire: Wire) -> Features:
    """RFC 5321 4.1.1.1; HELO where EHLO is not known (3.2)."""
    reply = await wire.ask(b"EHLO " + config.helo.encode("ascii"))
    if reply.code in (500, 501, 502, 503, 504, 550):
        _check(await wire.ask(b"HELO " + config.helo.encode("ascii")), "ehlo")
        return Features()
    _check(reply, "ehlo")
    offered: dict[str, list[str]] = {}
    for line in reply.text.decode("ascii", "replace").upper().splitlines()[1:]:
        word, *rest = line.replace("AUTH=", "AUTH ").split() or [""]
        offered.setdefault(word, []).extend(rest)
    size = offered.get("SIZE")
    limit = size[0] if size else "0"
    return Features(
        pipelining="PIPELINING" in offered,
        starttls="STARTTLS" in offered,
        eight_bit="8BITMIME" in offered,
        size=None if size is None else int(limit) if limit.isdecimal() else 0,
        auth=frozenset(offered.get("AUTH", ())),
    )


async def _secure(
    config: RelayConfig, wire: Wire, context: ssl.SSLContext, features: Features
) -> bool:
    """STARTTLS; whether it was agreed on."""
    is_wanted = features.starttls or config.tls == "required"
    if not is_wanted:
        return False
    reply = await wire.ask(b"STARTTLS")
    if reply.code != 220:
        if config.tls == "required":
            raise Unopened(answered("tls", reply, "unsent"))
        return False
    wire.forget()
    loop = asyncio.get_running_loop()
    try:
        secured = await loop.start_tls(
            wire.transport,
            wire,
            context,
            server_hostname=config.host,
            ssl_handshake_timeout=config.seconds.command,
        )
    except ssl.SSLError as error:
        raise _unopened("tls", error.reason or "tls_failed") from error
    except OSError as error:  # cut, or too slow
        raise _unopened("tls", "connection_lost") from error
    if secured is None:  # the connection went away while its last bytes were shaken
        raise _unopened("tls", "connection_lost")
    wire.secured(secured)
    return True


async def _authenticate(config: RelayConfig, wire: Wire, features: Features) -> None:
    """AUTH PLAIN (RFC 4616), else LOGIN; what was typed is never in an error."""
    user, password = config.username.encode(), config.password.encode()
    if "PLAIN" in features.auth or "LOGIN" not in features.auth:
        token = base64.b64encode(b"\0" + user + b"\0" + password)
        _check(await wire.ask(b"AUTH PLAIN " + token), "auth")
        return
    reply = await wire.ask(b"AUTH LOGIN")
    for typed in (user, password):
        if reply.code != 334:
            break
        reply = await wire.ask(base64.b64encode(typed))
    _check(reply, "auth")


def _is_verified(context: ssl.SSLContext | None) -> bool:
    """Whether whoever speaks that TLS has shown to be whom we mean, and not somebody on the way."""
    return context is not None and context.check_hostname


def _check(reply: Reply, stage: Stage) -> None:
    if not 200 <= reply.code < 300:
        raise Unopened(answered(stage, reply, "unsent"))


def _unopened(stage: Stage, reason: str) -> Unopened:
    return Unopened(Answer("unsent", stage, text=reason))
