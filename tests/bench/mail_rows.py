"""The rows of bulk mail: the real daemon beside other senders, in turn, before the same sink."""

import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.domain.mail.campaigns import Campaign
from tests.bench import servers
from tests.bench.mail_million import million
from tests.bench.mail_peers import aiosmtplib_loop, nodemailer, smtp_source
from tests.bench.mail_sinks import slow_sink, smtp_sink
from tests.bench.mail_world import CONNECTIONS, World
from tests.bench.rows import Holds, Line, Settings, judged
from tests.bench.servers import Server

SLOW_SECONDS = 0.010

_PATIENCE = 300.0
_CROWDED = 0.05  # of the machine

# Mails of a round for each of its seconds: about as many as go in one on a machine of two cores.
_OURS, _SOURCE = 4_000, 7_000
_SIGNED, _NODEMAILER = 1_200, 300
_SLOW, _AIOSMTPLIB = 1_400, 400


class MailRows:
    """Runs rows; ``holds`` is told of each."""

    def __init__(self, settings: Settings, holds: Holds) -> None:
        self._settings = settings
        self._holds = holds
        settings.folder.mkdir(parents=True, exist_ok=True)

    def mail(self) -> Iterator[Line]:
        """Personalised mails, each recorded, unsigned; beside smtp-source, which sends one message
        again and again.
        """
        with smtp_sink() as port:
            world = self._world("mail", _OURS, port)
            size = len(world.sample())
            count = self._count(_SOURCE)
            line = self._compared(
                f"mails a second, {size:,} bytes",
                0.5,
                world,
                f"smtp-source, {CONNECTIONS} sessions",
                lambda: smtp_source(port, count, size),
            )
            kept = [smtp_source(port, count, size, keep=True) for _ in range(self._settings.rounds)]
            line.notes = [
                *line.notes,
                f"smtp-source -d, which keeps its connections: {statistics.median(kept):,.0f}/s",
            ]
        yield line

    def mail_dkim(self) -> Iterator[Line]:
        """The same, signed; beside nodemailer's pool."""
        pem = new_key()
        with smtp_sink() as port:
            world = self._world("mail-dkim", _SIGNED, port, pem)
            count = self._count(_NODEMAILER)
            line = self._compared(
                "mails a second, RSA-2048 DKIM",
                4,
                world,
                "nodemailer",
                lambda: nodemailer(self._settings.folder, port, count, pem),
            )
        yield line

    def mail_slow(self) -> Iterator[Line]:
        """To a server that takes its time for each reply; beside aiosmtplib."""
        with slow_sink(SLOW_SECONDS) as port:
            world = self._world("mail-slow", _SLOW, port)
            count, sample = self._count(_AIOSMTPLIB), world.sample()
            line = self._compared(
                f"mails a second, replies after {1000 * SLOW_SECONDS:.0f} ms",
                3,
                world,
                "aiosmtplib",
                lambda: aiosmtplib_loop(port, count, sample),
            )
        yield line

    def mail_million(self) -> Iterator[Line]:
        """One campaign to very many: memory, and the start with all of them queued."""
        yield from million(self._settings, self._holds)

    def _compared(
        self, what: str, bar: float, world: World, name: str, peer: Callable[[], float]
    ) -> Line:
        rounds: list[tuple[float, float]] = []
        wrong: list[str] = []
        with servers.gateway(world.folder) as server:
            server.wait_until_quiet()
            before, busy = server.metrics(), Crowd()
            for _ in range(self._settings.rounds):
                ours, problems = sent(world, world.begin(), server)
                wrong += problems
                rounds.append((ours, peer()))
            others = busy.others()
            self._holds(before, server.metrics())
        line = judged(what, [ours / beside for ours, beside in rounds], "×", "≥", bar)
        line.ours = f"{statistics.median(ours for ours, _ in rounds):,.0f}/s"
        line.beside = f"{name} {statistics.median(beside for _, beside in rounds):,.0f}/s"
        line.wrong = wrong
        if others > _CROWDED:
            line.notes = [f"others use the machine: {others:.0%} of it"]
        return line

    def _world(self, name: str, a_second: int, port: int, pem: str = "") -> World:
        folder = self._settings.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        return World(folder, self._count(a_second), port, pem=pem).make()

    def _count(self, a_second: int) -> int:
        return max(1, round(a_second * self._settings.seconds))


def sent(world: World, campaign: Campaign, server: Server) -> tuple[float, Sequence[str]]:
    """How many mails of a campaign are sent and recorded a second: from the first answer until
    the store holds the last one. And what is wrong with them.
    """
    until = time.monotonic() + _PATIENCE
    while world.figure(campaign, "sent") < world.count:
        if time.monotonic() > until:
            raise RuntimeError(f"not all was sent: {_states(world, campaign)}")
        time.sleep(0.02)
    ended = time.time()
    sql = "SELECT count(*), min(first_at) FROM mail_sends WHERE campaign = ? AND state = 'sent'"
    count, first_at = world.ask(sql, campaign.id)
    tries = world.figure(campaign, "tries")
    wrong = []
    if count != world.count or tries != world.count:
        wrong.append(f"{world.count} mails: {tries} tries, {_states(world, campaign)}")
    return (count - 1) / (ended - first_at / 1e6), wrong


def _states(world: World, campaign: Campaign) -> str:
    names = ("queued", "attempting", "sent", "deferred", "failed", "suppressed", "held")
    return ", ".join(f"{world.figure(campaign, name)} {name}" for name in names)


class Crowd:
    """How much of the machine others use, from now on."""

    def __init__(self) -> None:
        self._began = (time.monotonic(), *_used())

    def others(self) -> float:
        """Their share of all cores' time; ours are this process and all that it started."""
        began_at, began_all, began_ours = self._began
        everybodys, ours = _used()
        took = (time.monotonic() - began_at) * (os.cpu_count() or 1)
        return max(0.0, (everybodys - began_all) - (ours - began_ours)) / took


def _used() -> tuple[float, float]:
    """Seconds of processor time: of the machine, and of this process with its descendants."""
    user, nice, system, _, _, irq, softirq = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    )
    everybodys = (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
    return everybodys, time.process_time() + cpu_of_descendants(os.getpid())


def cpu_of_descendants(pid: int) -> float:
    """Seconds of processor time of what a process started, be it running or not."""
    used, parents = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended
            continue
        each = int(stat.parent.name)
        running, ended = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
        parents[each], used[each] = int(fields[1]), (ended if each == pid else running + ended)
    family = {pid}
    while more := {each for each, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used[each] for each in family if each in used) / os.sysconf("SC_CLK_TCK")


def new_key() -> str:
    """A key of RSA-2048, PEM."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
