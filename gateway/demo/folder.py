"""The folder of the demonstration: configuration, secrets, and a store with the samples."""

import contextlib
import fcntl
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo

from gateway import config as configuration
from gateway import main as wiring
from gateway import provisioning
from gateway.config import Config
from gateway.demo.mail.cast import BOUNCES
from gateway.usecases.provisioning import difference

TOKYO = ZoneInfo("Asia/Tokyo")

_SAMPLE = Path(__file__).with_name("sample.toml")
_COUPON_DAYS = 60
_LOCK = "tsunagi-demo.lock"
_PORTS = {
    "public": 8080,
    "admin": 8081,
    "metrics": 9464,
    "carrier": 8090,
    "sink": 2525,
    "inbound": 8025,
}

_CONFIG = """\
public_url = "https://gw.example.jp"
[http]
listen = "127.0.0.1:{public}"
[admin]
listen = "127.0.0.1:{admin}"
[metrics]
listen = "127.0.0.1:{metrics}"
certificates_of = "{proxy}"
[storage]
url = "sqlite:///gateway.db"
state_dir = "."
[twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token_file = "auth_token"
api_url = "http://127.0.0.1:{carrier}"
reconcile_seconds = 5
[line]
api_url = "{platform}"
data_api_url = "{platform}"
[smtp]
relay = "127.0.0.1:{sink}"
dns = "{dns}"
tls = "off"
[smtp_in]
listen = "127.0.0.1:{inbound}"
domain = "{domain}"
"""


@contextlib.contextmanager
def only_one() -> Iterator[bool]:
    """Whether no other demonstration runs on this machine meanwhile: that one has the usual ports,
    or is about to take them.
    """
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context((Path(tempfile.gettempdir()) / _LOCK).open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # it is locked, or another user's
            yield False
        else:
            yield True


def prepare(
    folder: Path,
    places: Mapping[str, str],
    ids: Mapping[str, str],
    secret: Mapping[str, str],
    *,
    takes_usual_ports: bool,
) -> Config:
    """A new store with the sample advertisers; what a former demo left is removed.

    ``places`` is where that which is simulated listens: ``platform`` (a URL), and the name server
    ``dns`` and the ``proxy`` (host:port); ``ids`` what the platform calls the channels, and
    ``secret`` what is only for their owner to read, by file.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    ports = _free_ports(_PORTS if takes_usual_ports else dict.fromkeys(_PORTS, 0))
    (folder / "config.toml").write_text(_CONFIG.format(**ports, **places, domain=BOUNCES))
    for name, value in {"auth_token": secrets.token_hex(16), **secret}.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(value)
    today = datetime.now(UTC).astimezone(TOKYO).replace(hour=0, minute=0, second=0, microsecond=0)
    ends = today + timedelta(days=_COUPON_DAYS)
    sample = Template(_SAMPLE.read_text())
    filled = sample.substitute(ids, starts=today.isoformat(), ends=ends.isoformat())
    (folder / "provisioning.toml").write_text(filled)
    config = configuration.load(folder / "config.toml", {})
    wiring.migrate(config)
    version, held = wiring.provisioned(config)
    plan = provisioning.read([folder / "provisioning.toml"], held)
    wiring.apply(config, difference(version, held, plan))
    return config


def _free_ports(wanted: Mapping[str, int]) -> dict[str, int]:
    """The ports that are wanted, and others where those are taken."""
    found: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        for name, port in wanted.items():
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                sock.bind(("127.0.0.1", 0))
            found[name] = sock.getsockname()[1]
    return found
