"""config.toml and the environment, made into frozen structs; all errors at once."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gateway.config.checks import Address, is_loopback
from gateway.config.sections import (
    SECTIONS,
    Admin,
    Config,
    Http,
    Line,
    Log,
    Metrics,
    Retention,
    Section,
    Smtp,
    SmtpIn,
    Storage,
    Twilio,
)
from gateway.errors import Misconfigured
from gateway.tomlfile import Place, Secret, Wrong, document, instead, line, take

__all__ = [
    "SECTIONS",
    "Address",
    "Admin",
    "Config",
    "Http",
    "Line",
    "Log",
    "Metrics",
    "Retention",
    "Section",
    "Smtp",
    "SmtpIn",
    "Storage",
    "Twilio",
    "load",
]

_SECTION = {section.name: section for section in SECTIONS}

_LINKED = ("twilio", "line", "smtp", "smtp_in")
"""Sections of which platforms call back, or whose mails have links to our pages: to stop a list, or
to confirm a sign-up by an empty mail."""


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration of the file at ``path``, overridden by ``GATEWAY_…`` of ``environ``.

    A variable of an absent section makes the section present. Relative paths start at the
    file's folder, those of variables, too.

    Raises:
        Misconfigured: something is wrong; it holds a line for each mistake.
    """
    problems: list[str] = []
    tables = _tables(path, problems)
    overridden = _override(tables, environ, problems)

    def place(section: str, name: str) -> str:
        if (section, name) in overridden:
            return f"environment: {_SECTION[section].variable(name)}"
        return f"{path}: {_SECTION[section].place(name)}"

    values = {
        section.name: take(
            tables.get(section.name, {}),
            section.keys,
            partial(place, section.name),
            path.absolute().parent,
            problems,
        )
        for section in SECTIONS
        if section.name in tables or not section.optional
    }
    _agree(values, place, problems)
    if problems:
        raise Misconfigured(problems)
    top = values[""]
    return Config(
        public_url=top["public_url"] or "",
        timezone=top["timezone"],
        **{  # type: ignore[arg-type]  # the sections' own table made each
            section.name: section.type(**values[section.name]) if section.name in values else None
            for section in SECTIONS[1:]
        },
    )


def _tables(path: Path, problems: list[str]) -> dict[str, dict[str, Any]]:
    """The sections that the file has, the keys above them under an empty name."""
    tables: dict[str, dict[str, Any]] = {"": {}}
    names = [section.name for section in SECTIONS if section.name]
    for name, content in document(path).items():
        if name in names and isinstance(content, dict):
            tables[name] = content
        elif name in names:
            problems.append(f"{path}: {name}: is not a section; write [{name}] on its own line")
        elif isinstance(content, dict):
            problems.append(f"{path}: [{name}]: unknown section; {instead(name, names)}")
        else:
            tables[""][name] = content
    return tables


def _override(
    tables: dict[str, dict[str, Any]], environ: Mapping[str, str], problems: list[str]
) -> set[tuple[str, str]]:
    """Put what the environment says into ``tables``; returns the sections and names it spoke of."""
    known = {
        section.variable(name): (section.name, key, name)
        for section in SECTIONS
        for key in section.keys
        for name in key.names
    }
    overridden: set[tuple[str, str]] = set()
    for variable, text in environ.items():
        if not variable.startswith("GATEWAY_") or variable.startswith("GATEWAY_TEST_"):
            continue
        if variable not in known:
            problems.append(f"environment: {variable}: unknown; {instead(variable, known, 0.0)}")
            continue
        section, key, name = known[variable]
        table = tables.setdefault(section, {})
        for other in key.names:  # a secret's variable overrides the file's secret in either form
            if (section, other) not in overridden:
                table.pop(other, None)
        is_number = key.kind is int and re.fullmatch(r"-?[0-9]{1,18}", text)
        table[name] = int(text) if is_number else text
        overridden.add((section, name))
    return overridden


def _agree(
    values: dict[str, dict[str, Any]], place: Callable[[str, str], str], problems: list[str]
) -> None:
    """Whether values that were right one by one go together; parts PostgreSQL's password off."""
    called = [f"[{section}]" for section in _LINKED if section in values]
    if called and values[""].get("public_url", "") is None:
        verb = "needs" if len(called) == 1 else "need"
        problems.append(
            f"{place('', 'public_url')}: is missing, and {' and '.join(called)} {verb} it; "
            'add public_url = "https://gw.example.jp"'
        )
    if "twilio" in values:
        _account(values["twilio"], partial(place, "twilio"), problems)
    if "smtp" in values:
        _login(values["smtp"], partial(place, "smtp"), problems)
    _password(values["storage"], partial(place, "storage"), problems)
    taken: dict[str, Address] = {}
    for section, found in values.items():
        if (address := found.get("listen")) is None:
            continue
        for earlier, other in taken.items():
            if _same(address, other):
                wrong = Wrong(f"[{earlier}] listens there, too", "write another port")
                problems.append(line(place(section, "listen"), str(address), wrong))
        taken[section] = address


def _account(twilio: dict[str, Any], place: Place, problems: list[str]) -> None:
    sid, api_url = twilio.get("account_sid"), twilio.get("api_url")
    if sid is None or api_url is None:
        return
    # Simulators and carriers that speak the same protocol have ids of their own.
    strict = f".{urlsplit(api_url).hostname}".endswith(".twilio.com")
    pattern = r"AC[0-9a-fA-F]{32}" if strict else r"[A-Za-z0-9]{1,64}"
    if not re.fullmatch(pattern, sid):
        shape = "AC and 32 hexadecimal digits" if strict else "1 to 64 letters and digits"
        wrong = Wrong("is not an account's id", f"write {shape}")
        problems.append(line(place("account_sid"), sid, wrong))


def _login(smtp: dict[str, Any], place: Place, problems: list[str]) -> None:
    """Whether there is a password for the log-in, which goes to relays alone; says ``tls`` where
    nobody did.
    """
    if smtp.get("username") and smtp.get("password", Secret()) is None:
        where = place("password")
        problems.append(f"{where}: is missing, and username needs it; add password_file")
    relays = [each for each in (smtp.get("relay"), *(smtp.get("relays") or ())) if each]
    is_told = bool(smtp.get("username")) and not all(is_loopback(each.host) for each in relays)
    if "tls" not in smtp:
        return  # it is no choice
    if smtp["tls"] is None:
        smtp["tls"] = "required" if is_told else "opportunistic"
    elif is_told and smtp["tls"] in ("off", "opportunistic"):
        what = "anybody on the way to the relay could read the password"
        wrong = Wrong(what, 'write "required", or "implicit" where the relay speaks TLS at once')
        problems.append(line(place("tls"), smtp["tls"], wrong))


def _password(storage: dict[str, Any], place: Place, problems: list[str]) -> None:
    """Move a password within the URL to its own key, so that the URL may be shown."""
    url = storage.get("url", "")
    if url.startswith("sqlite:"):
        if storage.get("password"):
            wrong = Wrong("SQLite has no passwords", "take it out")
            problems.append(line(place("password"), Secret(), wrong))
        return
    parts = urlsplit(url)
    if not parts.password:
        return
    if storage.get("password"):
        wrong = Wrong("holds a password, and another is given", "take it out of the url")
        problems.append(line(place("url"), url, wrong))
    host = parts.netloc.rpartition("@")[2]
    storage["password"] = Secret(unquote(parts.password))
    storage["url"] = parts._replace(netloc=f"{parts.username}@{host}").geturl()


def _same(one: Address, other: Address) -> bool:
    """Whether two listeners get in each other's way."""
    if one.port != other.port or one.port == 0:
        return False
    everywhere = {"0.0.0.0", "::"} & {one.host, other.host}  # noqa: S104 - nothing binds here
    same_family = (":" in one.host) == (":" in other.host)
    return one.host == other.host or bool(everywhere and same_family)
