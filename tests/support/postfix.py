"""A private Postfix on loopback: it takes mail on one port and hands all of it to another.

It runs from a folder of its own, as Postfix itself does in its foreground mode; nothing of the
machine's own mail is touched. Its master has to be root, its children are not: the folder lies
where they reach it, beside those of pytest, which are for their owner alone.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.ports import free_port
from tests.support.stores import PATIENCE

POSTFIX = "/usr/sbin/postfix"

MISSING = (
    ""
    if os.access(POSTFIX, os.X_OK) and os.geteuid() == 0
    else "Postfix is not installed, or this is not root; .ci/run installs it"
)
"""Why no Postfix can be run here, if so."""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@contextlib.contextmanager
def postfix(next_port: int, routes: Mapping[str, int] | None = None) -> Iterator[int]:
    """Run one that relays everything to ``next_port``, and its bounces too, but for what goes to
    the domains of ``routes``, which have ports of their own; yields its port.
    """
    with tempfile.TemporaryDirectory(prefix="postfix-") as folder:
        Path(folder).chmod(0o755)
        with _running(Path(folder), next_port, routes or {}) as port:
            yield port


@contextlib.contextmanager
def _running(folder: Path, next_port: int, routes: Mapping[str, int]) -> Iterator[int]:
    port = free_port()
    conf, queue, data = folder / "conf", folder / "queue", folder / "data"
    for each in (conf, queue, data):
        each.mkdir()
    shutil.chown(data, "postfix")
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": str(queue),
        "data_directory": str(data),
        "maillog_file": str(folder / "log"),
        "maillog_file_prefixes": str(folder),
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "myhostname": "relay.test",
        "mydestination": "",
        "local_recipient_maps": "",
        "alias_maps": "",
        "alias_database": "",
        "mynetworks": "127.0.0.0/8",
        "relayhost": f"[127.0.0.1]:{next_port}",
        "smtp_host_lookup": "native",
        "smtpd_banner": "relay.test ESMTP",
        "smtp_connect_timeout": "10s",
        "minimal_backoff_time": "1s",
        "maximal_backoff_time": "2s",
        "queue_run_delay": "1s",
    }
    if routes:
        ways = (f"{domain}=smtp:[127.0.0.1]:{to}" for domain, to in routes.items())
        settings["transport_maps"] = f"inline:{{{', '.join(ways)}}}"
    (conf / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
    (conf / "master.cf").write_text(_MASTER.format(port=port))
    quiet = {**os.environ, "MAIL_CONFIG": str(conf)}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [POSTFIX, "-c", str(conf), "start-fg"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=quiet,
            start_new_session=True,
        )
    try:
        _wait(port, process, folder)
        yield port
    finally:
        # The master has left the session that it was started in: its own command ends it.
        if process.poll() is None:
            subprocess.run(
                [POSTFIX, "-c", str(conf), "stop"], check=True, env=quiet, capture_output=True
            )
        process.wait(PATIENCE)


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as peer:
            if peer.recv(100).startswith(b"220"):
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    said = "\n".join(p.read_text() for p in (folder / "out", folder / "log") if p.exists())
    raise AssertionError(f"Postfix does not answer: {said}")
