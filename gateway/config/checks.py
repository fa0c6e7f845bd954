"""What a value of config.toml must be, beyond its kind, and what is made of it."""

import ipaddress
import re
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import msgspec

from gateway.tomlfile import Wrong


class Address(msgspec.Struct, frozen=True):
    """Where to listen, or whom to connect to; port 0 lets the system choose."""

    host: str
    """Without the brackets of an IPv6 address."""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # Digits and dots alone are a mistyped address, never a name.
        name = re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?", text)
        return name is not None and ".." not in text and not re.fullmatch(r"[0-9.]+", text)
    return True


def is_loopback(host: str) -> bool:
    """Whether what is sent to a host does not leave this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address(value: str, _: Path) -> Address:
    """A host and a port: ``host:port``, with brackets around an IPv6 address."""
    match = re.fullmatch(r"(?:\[([^\[\]]*:[^\[\]]*)\]|([^\[\]:]+)):([0-9]{1,5})", value)
    if match and _is_host(host := match[1] or match[2]) and int(match[3]) <= 65_535:
        return Address(host, int(match[3]))
    raise Wrong("is not host:port", 'write it like "127.0.0.1:8080", or "[::1]:8080" for IPv6')


def peer(value: str, folder: Path) -> Address:
    """An address to connect to."""
    try:
        found = address(value, folder)
    except Wrong:
        remedy = 'write it like "relay.example.jp:25", or "[2001:db8::1]:25" for IPv6'
        raise Wrong("is not host:port", remedy) from None
    if found.port == 0:
        raise Wrong("has port 0", "write the port that the other side listens on")
    return found


def peers(value: str, folder: Path) -> tuple[Address, ...]:
    """Addresses to connect to, with commas between them."""
    return tuple(peer(each.strip(), folder) for each in value.split(",") if each.strip())


def web_url(value: str, _: Path) -> str:
    """An address of the web, kept without the slash at its end."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", 0
    # urlsplit drops line ends and tabs without a word, hence the pattern.
    sound = re.fullmatch(r"https?://[!-~]+", value) and _is_host(host) and port != 0
    if not sound or "@" in parts.netloc or parts.netloc.endswith(":"):
        raise Wrong("is not a web address", 'write it like "https://gw.example.jp"')
    if "?" in value or "#" in value:
        raise Wrong("has a query or a fragment", "end it before the ? or #")
    if parts.scheme == "http" and not is_loopback(host):
        raise Wrong("is not encrypted", "write https://, since http:// is for loopback alone")
    return value.rstrip("/")


def public_url(value: str, folder: Path) -> str:
    """A web address without a path."""
    url = web_url(value, folder)
    if urlsplit(url).path:
        raise Wrong("has a path", "end it after the host: the paths are the gateway's own")
    return url


def domain(value: str, _: Path) -> str:
    """The name of a mail domain, in small letters."""
    if not (_is_host(value) and re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", value)):
        raise Wrong("is not a domain", 'write it like "bounce.example.jp"')
    return value.lower()


def timezone(value: str, _: Path) -> ZoneInfo:
    """A zone of the IANA database."""
    try:
        return ZoneInfo(value)
    except (LookupError, ValueError, OSError):
        raise Wrong("is not a known time zone", 'write it like "Asia/Tokyo"') from None


def directory(value: str, folder: Path) -> Path:
    """A folder, which need not exist yet."""
    if not value or "\0" in value:
        raise Wrong("is not a folder's name", 'write it like "var"')
    return folder / value


def certificates(value: str, folder: Path) -> Path:
    """A file of PEM certificates, which is opened and read."""
    if not value or "\0" in value:
        raise Wrong("is not a file's name", 'write it like "ca.pem"')
    path = folder / value
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise Wrong("holds no certificates", "name a file of certificates in PEM") from None
    except OSError as error:
        raise Wrong(
            f"cannot be read ({error.strerror})", "name a file that exists and is readable"
        ) from None
    return path


def database(value: str, folder: Path) -> str:
    """A database's address with an absolute path for SQLite; a password stays in it."""
    if value.startswith("sqlite:"):
        name = value.removeprefix("sqlite:///")
        if name == value or re.search(r"[?\0]", name) or Path(name).name in ("", "..", ":memory:"):
            raise Wrong(
                "is not an SQLite file",
                'write it like "sqlite:///var/gateway.db", with four slashes for a full path',
            )
        return f"sqlite:///{folder / name}"
    try:
        parts = urlsplit(value)
        sound = parts.scheme == "postgresql" and parts.port != 0 and not parts.fragment
    except ValueError:
        sound = False
    if not sound or not re.fullmatch(r"/[^/]+", parts.path) or re.search(r"\s", value):
        raise Wrong(
            "is not a database's address",
            'write it like "postgresql://user@host:5432/gateway" or "sqlite:///var/gateway.db"',
        )
    if "password" in parse_qs(parts.query, keep_blank_values=True):
        raise Wrong("has a password in its query", "put it into password_file")
    return value
