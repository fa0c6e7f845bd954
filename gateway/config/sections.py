"""The sections of config.toml: the structs are the table of what may be configured.

Each field carries its check, its default and its line of the reference. Reading, the reference
and the tests go by :data:`SECTIONS`, which is made of them.
"""

import typing
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from gateway.config import checks
from gateway.config.checks import Address
from gateway.tomlfile import Check, Key, Secret, anything, one_of, secret, whole


def _text(check: Check, doc: str, default: str | None = None, **more: Any) -> Key:
    return Key("", str, check, doc, default, **more)


def _whole(low: int, high: int, doc: str, default: int) -> Key:
    return Key("", int, whole(low, high), doc, default)


def _secret(doc: str, *, required: bool = False) -> Key:
    return Key("", str, secret(256), doc, example="…", required=required, secret=True)


class Http(msgspec.Struct, frozen=True):
    """The public listener: webhooks, stop links, scans."""

    listen: Annotated[
        Address,
        _text(checks.address, "Where platforms connect, or the proxy for TLS.", "0.0.0.0:8080"),
    ]
    max_body_bytes: Annotated[
        int, _whole(1024, 2**24, "A request with a larger body gets 413.", 65_536)
    ]
    header_seconds: Annotated[int, _whole(1, 600, "Time for a request's headers to come.", 10)]
    body_seconds: Annotated[int, _whole(1, 600, "Time for a request's body to come.", 10)]
    idle_seconds: Annotated[int, _whole(1, 600, "How long an idle connection stays open.", 75)]
    max_connections: Annotated[int, _whole(1, 1_000_000, "Connections open at once.", 10_000)]
    drain_seconds: Annotated[
        int, _whole(1, 600, "Time to finish requests in progress after SIGTERM.", 10)
    ]


class Admin(msgspec.Struct, frozen=True):
    """Console and API; never public by default."""

    listen: Annotated[
        Address, _text(checks.address, "Where the console and the API are.", "127.0.0.1:8081")
    ]


class Metrics(msgspec.Struct, frozen=True):
    """/metrics, /metrics/advertisers, /healthz and /readyz."""

    listen: Annotated[
        Address,
        _text(checks.address, "Where Prometheus and health checks connect.", "127.0.0.1:9464"),
    ]
    max_advertisers: Annotated[
        int,
        _whole(
            1, 1_000_000, "A scrape shows so many at most; the rest is counted as left out.", 20_000
        ),
    ]
    certificates_of: Annotated[
        tuple[Address, ...] | None,
        _text(
            checks.peers,
            "Servers whose certificate's end is told, the proxy before us above all; with commas.",
            example="gw.example.jp:443",
        ),
    ]


class Storage(msgspec.Struct, frozen=True):
    """Where facts are kept before they are answered."""

    url: Annotated[
        str,
        _text(
            checks.database,
            "sqlite:///relative, sqlite:////absolute or postgresql://user@host:port/database.",
            "sqlite:///var/gateway.db",
        ),
    ]
    """SQLite's path is absolute; PostgreSQL's password is taken out."""
    password: Annotated[Secret | None, _secret("The database's password, if it asks for one.")]
    durability: Annotated[
        Literal["full", "normal"],
        _text(
            one_of("full", "normal"),
            "full: what was answered survives a power cut; normal: a crash of the daemon alone.",
            "full",
        ),
    ]
    state_dir: Annotated[
        Path,
        _text(checks.directory, "The folder of the spool and of the snapshot of routes.", "var"),
    ]
    spool_bytes: Annotated[
        int,
        _whole(65_536, 2**36, "Disk space reserved for events while the store is away.", 2**24),
    ]


class Twilio(msgspec.Struct, frozen=True):
    """The telephone carrier."""

    account_sid: Annotated[
        str,
        _text(anything, "The account whose numbers call.", example="AC…", required=True),
    ]
    auth_token: Annotated[
        Secret, _secret("The account's primary token; webhooks are signed with it.", required=True)
    ]
    auth_token_previous: Annotated[
        Secret | None, _secret("A second token that counts while one is rotated.")
    ]
    api_url: Annotated[
        str, _text(checks.web_url, "The carrier's REST API.", "https://api.twilio.com")
    ]
    reconcile_seconds: Annotated[
        int,
        _whole(0, 7200, "How often calls are compared with the carrier's list; 0: never.", 3600),
    ]


class Line(msgspec.Struct, frozen=True):
    """LINE official accounts."""

    api_url: Annotated[str, _text(checks.web_url, "The Messaging API.", "https://api.line.me")]
    data_api_url: Annotated[
        str, _text(checks.web_url, "The Messaging API for contents.", "https://api-data.line.me")
    ]
    max_body_bytes: Annotated[
        int, _whole(1024, 2**24, "A webhook with a larger body gets 413.", 1_048_576)
    ]
    content_max_bytes: Annotated[
        int, _whole(1024, 200 * 2**20, "Images, videos and files up to this are kept.", 20 * 2**20)
    ]
    content_disk_bytes: Annotated[
        int, _whole(2**20, 2**50, "Disk space for all of them; the oldest go first.", 10 * 2**30)
    ]


class Smtp(msgspec.Struct, frozen=True):
    """Outgoing mail."""

    relay: Annotated[
        Address, _text(checks.peer, "The mail server that takes it: host:port.", "127.0.0.1:25")
    ]
    relays: Annotated[
        tuple[Address, ...],
        _text(checks.peers, "More of them, which share the work: host:port, host:port.", ""),
    ]
    connections: Annotated[int, _whole(1, 500, "Connections to each relay at most.", 20)]
    messages_per_connection: Annotated[
        int, _whole(1, 1_000_000, "Mails on one connection before the next is opened.", 1_000)
    ]
    tls: Annotated[
        Literal["off", "opportunistic", "required", "implicit"],
        _text(
            one_of("off", "opportunistic", "required", "implicit"),
            "required: STARTTLS with a valid certificate or nothing; implicit: from the first "
            "byte; opportunistic: STARTTLS where it works, without a look at the certificate. "
            "Else required where a username is given and a relay is on another machine, "
            "and opportunistic where not.",
            example="required",
        ),
    ]
    tls_ca_file: Annotated[
        Path | None,
        _text(
            checks.certificates,
            "PEM certificates to trust instead of the system's.",
            example="ca.pem",
        ),
    ]
    username: Annotated[str, _text(anything, "Whom to log in as; empty: no log-in.", "")]
    password: Annotated[Secret | None, _secret("The password for that.")]
    helo: Annotated[
        str | None,
        _text(
            checks.domain,
            "What the gateway calls itself; else the host of public_url.",
            example="gw.example.jp",
        ),
    ]
    compose_processes: Annotated[
        int,
        _whole(0, 64, "Processes that compose and sign mails; 0: threads of the daemon.", 1),
    ]
    dns: Annotated[
        Address | None,
        _text(
            checks.peer,
            "The name server that checks ask; else the system's.",
            example="127.0.0.1:53",
        ),
    ]


class SmtpIn(msgspec.Struct, frozen=True):
    """Incoming mail: bounces and sign-up by empty mail."""

    listen: Annotated[
        Address, _text(checks.address, "Where the mail server delivers to.", "127.0.0.1:8025")
    ]
    domain: Annotated[
        str,
        _text(
            checks.domain, "Whose mail arrives here.", example="bounce.example.jp", required=True
        ),
    ]
    max_message_bytes: Annotated[int, _whole(65_536, 2**26, "A larger mail gets 552.", 10 * 2**20)]
    max_connections: Annotated[int, _whole(1, 10_000, "Connections open at once.", 200)]
    max_connections_of_one: Annotated[
        int, _whole(1, 10_000, "The same of one address, such as a mail server of ours.", 100)
    ]
    silent_seconds: Annotated[int, _whole(1, 600, "How long a client may say nothing.", 60)]
    session_seconds: Annotated[int, _whole(1, 7200, "How long a connection may last.", 900)]


class Retention(msgspec.Struct, frozen=True):
    """What is deleted by itself, and when."""

    raw_days: Annotated[int, _whole(1, 36_500, "Days an event's raw parameters are kept.", 90)]
    calls_days: Annotated[int, _whole(1, 36_500, "Days a call is kept.", 1826)]
    unknown_hours: Annotated[
        int, _whole(1, 8760, "Hours events of a call that never came are kept.", 24)
    ]
    keys_days: Annotated[int, _whole(1, 36_500, "Days a repeated webhook is recognised.", 45)]
    line_text_days: Annotated[
        int, _whole(1, 36_500, "Days LINE's messages, free answers and notes are kept.", 365)
    ]
    line_event_days: Annotated[
        int, _whole(7, 36_500, "Days LINE's events are kept, and repeats recognised.", 1826)
    ]
    line_content_days: Annotated[
        int, _whole(1, 36_500, "Days images, videos and files of LINE's friends are kept.", 90)
    ]
    mail_days: Annotated[
        int,
        _whole(
            7, 36_500, "Days what became of single mails, and the log of bounces, are kept.", 400
        ),
    ]
    mail_consent_days: Annotated[
        int,
        _whole(
            31,
            36_500,
            "Days a consent is kept after the last mail, once its recipient is gone.",
            1127,
        ),
    ]


class Log(msgspec.Struct, frozen=True):
    """What is logged, and how."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _text(one_of("debug", "info", "warning", "error"), "The least that is logged.", "info"),
    ]
    numbers: Annotated[
        Literal["masked", "plain"],
        _text(one_of("masked", "plain"), "How telephone numbers are shown.", "masked"),
    ]
    format: Annotated[
        Literal["json", "console"],
        _text(one_of("json", "console"), "json for machines, console for people.", "json"),
    ]


class Config(msgspec.Struct, frozen=True):
    """What stands above all sections, and the sections.

    A section that is ``None`` was absent and starts nothing.
    """

    public_url: Annotated[
        str,
        _text(
            checks.public_url,
            "What platforms call, and what signatures are checked against: https, no path.",
            example="https://gw.example.jp",
        ),
    ]
    """Without a slash at its end; empty where no platform calls."""
    timezone: Annotated[ZoneInfo, _text(checks.timezone, "The zone of times shown.", "Asia/Tokyo")]
    http: Http
    admin: Admin
    metrics: Metrics
    storage: Storage
    twilio: Twilio | None
    line: Line | None
    smtp: Smtp | None
    smtp_in: SmtpIn | None
    retention: Retention
    log: Log


class Section(msgspec.Struct, frozen=True):
    """A section of config.toml; the one without a name stands above all others."""

    name: str
    type: Any
    optional: bool
    """Whether its absence means that nothing of it is started."""
    keys: tuple[Key, ...]

    def place(self, name: str) -> str:
        """How a key of it is written."""
        return f"[{self.name}] {name}" if self.name else name

    def variable(self, name: str) -> str:
        """The environment variable that overrides a key of it."""
        return f"GATEWAY_{self.name}_{name}".upper() if self.name else f"GATEWAY_{name}".upper()


def _section(name: str, type_: Any) -> Section:
    optional = typing.get_origin(type_) is not None
    struct = typing.get_args(type_)[0] if optional else type_
    hints = typing.get_type_hints(struct, include_extras=True)
    keys = {
        field: extra
        for field, hint in hints.items()
        for extra in getattr(hint, "__metadata__", ())
        if isinstance(extra, Key)
    }
    return Section(
        name,
        struct,
        optional,
        tuple(msgspec.structs.replace(key, name=field) for field, key in keys.items()),
    )


SECTIONS: tuple[Section, ...] = (
    _section("", Config),
    *(
        _section(name, hint)
        for name, hint in typing.get_type_hints(Config).items()
        if name not in ("public_url", "timezone")
    ),
)
"""Everything that can be configured, in the order of the reference."""
