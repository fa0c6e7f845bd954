"""What a relay is told over TLS, and to whom credentials go."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.smtp.delivery.relay import Relay
from adapters.smtp.delivery.settings import RelayConfig, Tls
from adapters.smtp.simulator import Habits, Sink
from gateway.domain.mail.answers import Answer
from tests.adapters.smtp.relay_world import Letters, Scripted, config, letter, relaying, sent
from tests.support.stores import PATIENCE, eventually, on_a_loop


@pytest.mark.parametrize(
    ("tls", "habits"),
    [
        ("opportunistic", Habits(starttls=True)),
        ("required", Habits(starttls=True)),
        ("required", Habits(starttls=True, pipelining=False, bytewise=True)),
        ("implicit", Habits(implicit_tls=True)),
    ],
)
@on_a_loop
async def test_letters_go_over_tls(tls: Tls, habits: Habits) -> None:
    """By STARTTLS or from the first byte; EHLO is said again behind it."""
    async with Sink(habits) as sink:
        post = Letters([letter(1), letter(2, message=b"x" * 300_000 + b"\r\n")])
        await sent(post, sink.port, tls=tls, verify=False)
        assert set(post.outcomes.values()) == {"accepted"}
        hellos = [said for said in sink.said if said.startswith("EHLO")]
        assert len(hellos) == (1 if tls == "implicit" else 2)


@pytest.mark.parametrize("habits", [Habits(), Habits(starttls=True)])
@on_a_loop
async def test_required_tls_never_falls_back(habits: Habits) -> None:
    """Not where it is not offered, nor where the certificate is a stranger's."""
    heard: list[Answer] = []
    async with Sink(habits) as sink:
        post = Letters([letter(1)])
        settings = config(sink.port, tls="required")
        relay = Relay(settings, post, rng=random.Random(1), troubled=heard.append)
        running = asyncio.create_task(relay.run())
        await eventually(lambda: len(heard) >= 2)
        assert {answer.stage for answer in heard} == {"tls"}
        assert post.taken == []
        await relay.drain(PATIENCE)
        await running
        assert not [said for said in sink.said if said.startswith("MAIL")]


@on_a_loop
async def test_a_certificate_that_is_trusted_is_taken(tmp_path: Path) -> None:
    """The file of certificates decides, and the name is checked."""
    async with Sink(Habits(starttls=True)) as sink:
        trusted = tmp_path / "ca.pem"
        trusted.write_bytes(sink.certificate)
        post = await sent(Letters([letter(1)]), sink.port, tls="required", ca_file=str(trusted))
        assert post.outcomes == {1: "accepted"}


OFFER = b"250-mx\r\n250 STARTTLS\r\n"
IN_CLEAR = [b"250 m\r\n", b"250 r\r\n", b"354 go\r\n", b"250 ok\r\n", b"221 bye\r\n"]


@on_a_loop
async def test_opportunistic_tls_that_does_not_work_is_done_without() -> None:
    """A server that announces TLS and cannot speak it is asked again in clear text."""
    broken = [b"220 mx\r\n", OFFER, b"220 go\r\n", b"no TLS at all\r\n"]
    plain = [b"220 mx\r\n", OFFER, *IN_CLEAR]
    async with Scripted(broken, times=2, later=plain) as server:
        post = await sent(Letters([letter(1)]), server.port, tls="opportunistic")
    assert post.outcomes == {1: "accepted"}


@on_a_loop
async def test_opportunistic_tls_that_is_refused_is_done_without() -> None:
    """On the same connection."""
    turns = [b"220 mx\r\n", OFFER, b"454 4.7.0 not now\r\n", *IN_CLEAR]
    async with Scripted(turns) as server:
        post = await sent(Letters([letter(1)]), server.port, tls="opportunistic")
    assert post.outcomes == {1: "accepted"}


@on_a_loop
async def test_what_stands_in_clear_text_behind_starttls_is_forgotten() -> None:
    """Injected replies are no part of the secured session (RFC 3207 4.2)."""
    injected = Habits(starttls=True, behind_starttls=b"250-evil\r\n250 AUTH PLAIN\r\n")
    async with Sink(injected) as sink:
        post = await sent(Letters([letter(1)]), sink.port, tls="required", verify=False)
        assert post.outcomes == {1: "accepted"}
        assert not [said for said in sink.said if said.startswith("AUTH")]


@on_a_loop
async def test_whoever_is_stopped_while_hands_are_shaken_comes_to_an_end() -> None:
    """The loop does not tell of the end of such a connection."""
    silent = [b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n", b"", b""]
    async with Scripted(silent) as server:
        relay = Relay(
            config(server.port, tls="required"), Letters([letter(1)]), rng=random.Random(1)
        )
        running = asyncio.create_task(relay.run())
        await eventually(lambda: len(server.heard) == 3)
        await relay.drain(PATIENCE)
        async with asyncio.timeout(PATIENCE):
            await running


@pytest.mark.parametrize("tls", ["required", "off"])
@on_a_loop
async def test_credentials_are_told_and_needed(tls: Tls) -> None:
    """AUTH PLAIN over TLS, or on loopback; wrong ones send nothing."""
    habits = Habits(starttls=tls == "required", logins=(("gw", "pässword"),))
    async with Sink(habits) as sink:
        login = {"username": "gw", "password": "pässword"}
        post = await sent(Letters([letter(1)]), sink.port, tls=tls, verify=False, **login)
        assert post.outcomes == {1: "accepted"}
        heard: list[Answer] = []
        wrong = config(sink.port, tls=tls, verify=False, username="gw", password="wrong")
        relay = Relay(wrong, Letters([letter(2)]), rng=random.Random(1), troubled=heard.append)
        running = asyncio.create_task(relay.run())
        await eventually(lambda: heard)
        assert (heard[0].stage, heard[0].code, heard[0].enhanced) == ("auth", 535, "5.7.8")
        await relay.drain(PATIENCE)
        await running


@on_a_loop
async def test_login_is_used_where_plain_is_not_offered() -> None:
    """User and password are asked for one by one."""
    turns = [
        *(b"220 mx\r\n", b"250-mx\r\n250 AUTH LOGIN\r\n", b"334 VXNlcm5hbWU6\r\n"),
        *(b"334 UGFzc3dvcmQ6\r\n", b"235 ok\r\n", b"550 no\r\n", b"221 bye\r\n"),
    ]
    async with Scripted(turns) as server:
        await sent(Letters([letter(1)]), server.port, username="gw", password="pw")
    assert server.heard[1:4] == [b"AUTH LOGIN\r\n", b"Z3c=\r\n", b"cHc=\r\n"]


def test_credentials_do_not_leave_in_clear_text() -> None:
    """Only loopback may hear them without TLS, and a configuration does not show them."""
    assert config(25).is_loopback
    assert RelayConfig("r", "localhost").is_loopback
    assert not RelayConfig("r", "192.0.2.1").is_loopback
    assert not RelayConfig("r", "mx.example.jp").is_loopback
    shown = repr(RelayConfig("r", "h", username="gw", password="secret"))
    assert "secret" not in shown


class Elsewhere(RelayConfig, frozen=True):
    """A relay that is not on loopback, as far as it is known."""

    @property
    def is_loopback(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("habits", "tls", "verify", "why"),
    [
        (Habits(), "opportunistic", True, ("auth", "no_tls")),
        (Habits(), "off", True, ("auth", "no_tls")),
        (Habits(starttls=True), "opportunistic", True, ("auth", "unverified")),
        (Habits(starttls=True), "required", False, ("auth", "unverified")),
        (Habits(starttls=True), "required", True, ("tls", "CERTIFICATE_VERIFY_FAILED")),
        (Habits(implicit_tls=True), "implicit", False, ("auth", "unverified")),
        (Habits(implicit_tls=True), "implicit", True, ("tls", "CERTIFICATE_VERIFY_FAILED")),
    ],
)
@on_a_loop
async def test_a_stranger_on_the_way_hears_no_credentials(
    habits: Habits, tls: Tls, verify: bool, why: tuple[str, str]
) -> None:
    """Who shows no certificate that we trust is left before AUTH, whatever is configured."""
    heard: list[Answer] = []
    async with Sink(replace(habits, logins=(("gw", "pw"),))) as sink:
        settings = Elsewhere(
            "r",
            "127.0.0.1",
            sink.port,
            tls=tls,
            verify=verify,
            username="gw",
            password="pw",
        )
        post = Letters([letter(1)])
        relay = Relay(settings, post, rng=random.Random(1), troubled=heard.append)
        running = asyncio.create_task(relay.run())
        await eventually(lambda: heard)
        await relay.drain(PATIENCE)
        await running
        assert (heard[0].stage, heard[0].text) == why
        assert post.taken == []
        assert not [said for said in sink.said if said.startswith("AUTH")]


@on_a_loop
async def test_a_relay_elsewhere_that_is_trusted_hears_credentials(tmp_path: Path) -> None:
    """Once its certificate was checked, and its name."""
    async with Sink(Habits(starttls=True, logins=(("gw", "pw"),))) as sink:
        trusted = tmp_path / "ca.pem"
        trusted.write_bytes(sink.certificate)
        settings = Elsewhere(
            "r",
            "127.0.0.1",
            sink.port,
            tls="required",
            ca_file=str(trusted),
            username="gw",
            password="pw",
        )
        post = Letters([letter(1)])
        async with relaying(post, settings):
            await post.settled(1)
        assert post.outcomes == {1: "accepted"}
        assert [said for said in sink.said if said.startswith("AUTH PLAIN")]
