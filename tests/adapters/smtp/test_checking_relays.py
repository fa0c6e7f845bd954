"""Whether a relay takes a connection is looked at in a moment, and no mail is sent."""

from pathlib import Path

from adapters.smtp.checking.relays import look_at
from adapters.smtp.delivery.settings import RelayConfig
from adapters.smtp.simulator import Habits, Sink
from tests.adapters.smtp.relay_world import Scripted, config
from tests.support.ports import free_port
from tests.support.stores import on_a_loop


async def line(settings: RelayConfig) -> str:
    """What is told of a relay."""
    return (await look_at(settings)).line


@on_a_loop
async def test_a_relay_that_answers_is_told_of() -> None:
    """With how it was spoken to; nothing but a greeting is said to it."""
    async with Sink() as sink:
        said = await line(config(sink.port))
        assert said.startswith(f"✓ relay: {config(sink.port).name} takes mail without TLS")
        assert {words.split()[0] for words in sink.said} == {"EHLO", "QUIT"}


@on_a_loop
async def test_a_relay_is_looked_at_over_tls_as_it_is_configured(tmp_path: Path) -> None:
    """A certificate that is trusted is told of, and one that is not is no relay."""
    async with Sink(Habits(starttls=True)) as sink:
        trusted = tmp_path / "ca.pem"
        trusted.write_bytes(sink.certificate)
        settings = config(sink.port, tls="required", ca_file=str(trusted))
        assert "takes mail over TLS" in await line(settings)
        refused = await line(config(sink.port, tls="required"))
        assert refused.startswith(f"✗ relay: {settings.name}: tls: ")
        assert "tls_ca_file" in refused
        trusted.unlink()
        assert "tls_ca_file: No such file" in await line(settings)


@on_a_loop
async def test_a_relay_that_does_not_answer_is_told_of_with_what_to_do() -> None:
    """Nobody there, or somebody who wants none of us."""
    away = await line(config(free_port()))
    assert away.startswith("✗ relay: ")
    assert ": connect: " in away
    assert "start the mail server" in away
    async with Scripted([b"554 5.7.1 go away\r\n"]) as server:
        refused = await line(config(server.port))
    assert "greeting: 554 5.7.1 go away" in refused
