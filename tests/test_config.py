"""Configuration: what is read, what overrides it, and what is said about each mistake."""

import contextlib
import re
import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import SECTIONS, Address, Config, load
from gateway.errors import Misconfigured
from tests.support.tls import contexts

ROOT = Path(__file__).parent.parent
BAD = sorted((Path(__file__).parent / "configs").glob("bad-*.toml"))
CARRIER = """
public_url = "https://gw.example.jp/"
[twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token = "12345"
"""
ENTRY_OF_CONFIG_TOML = re.compile(r"^#(?=\[|\w+ = )", re.MULTILINE)


def written(folder: Path, text: str = "") -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def problems(path: Path, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        load(path, environ or {})
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_bad_configuration_gets_its_messages(path: Path) -> None:
    """The lines of each numbered mistake are pinned, all of them and in their order."""
    assert problems(path) == path.with_suffix(".expected").read_text().splitlines()


def test_an_empty_file_starts_no_platform(tmp_path: Path) -> None:
    """Absent optional sections are None, the others have the documented defaults."""
    config = load(written(tmp_path), {})
    assert (config.twilio, config.line, config.smtp, config.smtp_in) == (None, None, None, None)
    assert config.public_url == ""
    assert config.timezone == ZoneInfo("Asia/Tokyo")
    assert config.http.listen == Address("0.0.0.0", 8080)  # noqa: S104 - the documented default
    assert config.admin.listen == Address("127.0.0.1", 8081)
    assert config.metrics.listen == Address("127.0.0.1", 9464)
    assert config.http.max_body_bytes == 65_536
    assert config.storage.durability == "full"
    assert config.retention.raw_days == 90
    assert config.log.numbers == "masked"


@pytest.mark.parametrize(
    ("said", "tls"),
    [
        ('relay = "relay.example.jp:587"\nusername = "gw"', "required"),
        ('relays = "192.0.2.1:25"\nusername = "gw"', "required"),
        ('relay = "relay.example.jp:465"\nusername = "gw"\ntls = "implicit"', "implicit"),
        ('relay = "[::1]:25"\nusername = "gw"', "opportunistic"),
        ('relay = "localhost:25"\nusername = "gw"\ntls = "off"', "off"),
        ('relay = "relay.example.jp:25"', "opportunistic"),
    ],
)
def test_a_password_goes_to_no_relay_that_was_not_looked_at(
    tmp_path: Path, said: str, tls: str
) -> None:
    """With a log-in elsewhere a valid certificate is asked for where nobody says more."""
    login = 'password = "hidden"\n' if "username" in said else ""
    text = f'public_url = "https://gw.example.jp"\n[smtp]\n{said}\n{login}'
    config = load(written(tmp_path, text), {})
    assert config.smtp is not None
    assert config.smtp.tls == tls


@pytest.mark.parametrize("tls", ["off", "opportunistic"])
def test_a_password_is_not_risked_by_the_environment_either(tmp_path: Path, tls: str) -> None:
    """Whoever writes it is told what to write, and never shown the password."""
    text = 'public_url = "https://gw.example.jp"\n[smtp]\nrelay = "relay.example.jp:587"\n'
    login = {"GATEWAY_SMTP_USERNAME": "gw", "GATEWAY_SMTP_PASSWORD": "hidden"}
    (said,) = problems(written(tmp_path, text), login | {"GATEWAY_SMTP_TLS": tls})
    assert said.startswith(f'environment: GATEWAY_SMTP_TLS = "{tls}": anybody on the way')
    assert 'write "required"' in said
    assert "hidden" not in said


def test_the_carriers_section_is_read(tmp_path: Path) -> None:
    """A present [twilio] has its secrets, and public_url loses the slash at its end."""
    config = load(written(tmp_path, CARRIER), {})
    assert config.public_url == "https://gw.example.jp"
    assert config.twilio is not None
    assert config.twilio.auth_token == "12345"
    assert config.twilio.auth_token_previous is None
    assert config.twilio.api_url == "https://api.twilio.com"


def test_sections_beside_the_carrier_are_accepted(tmp_path: Path) -> None:
    """[line], [smtp] and [smtp_in] are read as the contract has them."""
    text = """
        public_url = "https://gw.example.jp"
        [line]
        [smtp]
        relay = "mail.example.jp:25"
        [smtp_in]
        domain = "bounce.example.jp"
        """
    config = load(written(tmp_path, text), {})
    assert config.line is not None
    assert config.line.data_api_url == "https://api-data.line.me"
    assert config.smtp is not None
    assert config.smtp.relay == Address("mail.example.jp", 25)
    assert config.smtp_in is not None
    assert config.smtp_in.listen == Address("127.0.0.1", 8025)


def test_relative_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    """Neither database nor state folder depends on the working directory."""
    config = load(written(tmp_path, '[storage]\nurl = "sqlite:///data/gw.db"\n'), {})
    assert config.storage.url == f"sqlite:///{tmp_path}/data/gw.db"
    assert config.storage.state_dir == tmp_path / "var"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    """Four slashes are an absolute path, as SQLAlchemy reads them."""
    text = '[storage]\nurl = "sqlite:////srv/gw.db"\nstate_dir = "/srv/state"\n'
    storage = load(written(tmp_path, text), {}).storage
    assert (storage.url, storage.state_dir) == ("sqlite:////srv/gw.db", Path("/srv/state"))


def test_a_password_in_the_url_is_parted_from_it(tmp_path: Path) -> None:
    """What is left of the URL may be logged; the password is decoded."""
    text = '[storage]\nurl = "postgresql://gw:p%40ss@db:5433/gateway?sslmode=require"\n'
    storage = load(written(tmp_path, text), {}).storage
    assert storage.url == "postgresql://gw@db:5433/gateway?sslmode=require"
    assert storage.password == "p@ss"


def test_secrets_do_not_show_in_the_configuration(tmp_path: Path) -> None:
    """Printing or logging the whole structure reveals no secret."""
    text = CARRIER + '[storage]\nurl = "postgresql://gw:hunter2@db/gateway"\n'
    shown = repr(load(written(tmp_path, text), {}))
    assert "12345" not in shown
    assert "hunter2" not in shown
    assert "•••" in shown


def test_a_secret_comes_from_a_file_of_its_own(tmp_path: Path) -> None:
    """The file's name is relative to the configuration, its last line end no part of it."""
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    path = written(tmp_path, CARRIER.replace('auth_token = "12345"', 'auth_token_file = "token"'))
    config = load(path, {})
    assert config.twilio is not None
    assert config.twilio.auth_token == "s3cret"


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"s3cret", 0o644, "others may open it (mode 0644); run: chmod 600 {path}"),
        (b"\n", 0o600, "the file is empty; write the secret into it"),
        (b"\xff", 0o600, "is not UTF-8 text; write nothing but the secret into it"),
    ],
)
def test_a_careless_secret_file_is_refused(
    tmp_path: Path, content: bytes, mode: int, said: str
) -> None:
    """A secret that others can read, or none at all, does not start the daemon."""
    secret = tmp_path / "token"
    secret.write_bytes(content)
    secret.chmod(mode)
    path = written(tmp_path, CARRIER.replace('auth_token = "12345"', 'auth_token_file = "token"'))
    with pytest.raises(Misconfigured) as caught:
        load(path, {})
    remedy = said.format(path=secret)
    assert caught.value.problems == [f'{path}: [twilio] auth_token_file = "token": {remedy}']


def test_a_missing_file_is_told_of(tmp_path: Path) -> None:
    """A configuration that is not there is one clear line."""
    (said,) = problems(tmp_path / "gone.toml")
    assert said.startswith("gone.toml: cannot be read (No such file or directory); ")


@pytest.mark.parametrize("text", ["[http", "a = " + "[" * 10_000, "a = " + "9" * 5_000])
def test_what_is_not_toml_is_told_of(tmp_path: Path, text: str) -> None:
    """The parser's own words follow, whatever it stumbles over."""
    (said,) = problems(written(tmp_path, text))
    assert said.startswith("config.toml: is not TOML: ")
    assert said.endswith("; mend that line")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """A file saved by an editor on Windows is read."""
    path = tmp_path / "config.toml"
    path.write_bytes(b'\xef\xbb\xbftimezone = "UTC"\r\n')
    assert load(path, {}).timezone == ZoneInfo("UTC")


# --- the environment ---


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    """Keys of sections and those above them have their variables, numbers among them."""
    config = load(
        written(tmp_path, '[http]\nlisten = "127.0.0.1:1"\nmax_connections = 5\n'),
        {
            "GATEWAY_HTTP_LISTEN": "[::1]:8080",
            "GATEWAY_HTTP_MAX_CONNECTIONS": "50",
            "GATEWAY_TIMEZONE": "UTC",
            "GATEWAY_PUBLIC_URL": "http://127.0.0.1:8080",
            "HOME": "/root",
        },
    )
    assert config.http.listen == Address("::1", 8080)
    assert str(config.http.listen) == "[::1]:8080"
    assert config.http.max_connections == 50
    assert config.timezone == ZoneInfo("UTC")
    assert config.public_url == "http://127.0.0.1:8080"


def test_a_variable_makes_its_section_present(tmp_path: Path) -> None:
    """A container can be configured without writing a section."""
    environ = {
        "GATEWAY_PUBLIC_URL": "https://gw.example.jp",
        "GATEWAY_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
        "GATEWAY_TWILIO_AUTH_TOKEN": "12345",
    }
    assert load(written(tmp_path), environ).twilio is not None


def test_a_secrets_variable_replaces_the_files_secret_in_either_form(tmp_path: Path) -> None:
    """Overriding a secret's file by a value is no conflict."""
    text = CARRIER.replace('auth_token = "12345"', 'auth_token_file = "gone"')
    config = load(written(tmp_path, text), {"GATEWAY_TWILIO_AUTH_TOKEN": "new"})
    assert config.twilio is not None
    assert config.twilio.auth_token == "new"


def test_a_secrets_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    """GATEWAY_…_FILE overrides a secret written into the file."""
    secret = tmp_path / "token"
    secret.write_text("from a file")
    secret.chmod(0o600)
    environ = {"GATEWAY_TWILIO_AUTH_TOKEN_FILE": str(secret)}
    config = load(written(tmp_path, CARRIER), environ)
    assert config.twilio is not None
    assert config.twilio.auth_token == "from a file"


def test_variables_for_tests_are_no_configuration(tmp_path: Path) -> None:
    """GATEWAY_TEST_* is left alone."""
    load(written(tmp_path), {"GATEWAY_TEST_POSTGRES_URL": "postgresql://x"})


def test_mistakes_in_the_environment_name_the_variable(tmp_path: Path) -> None:
    """Unknown variables, wrong values and doubled secrets are told of together, none shown."""
    environ = {
        "GATEWAY_HTTP_LISTN": "127.0.0.1:80",
        "GATEWAY_PORT": "80",
        "GATEWAY_HTTP_BODY_SECONDS": "ten",
        "GATEWAY_LOG_LEVEL": "",
        "GATEWAY_TWILIO_AUTH_TOKEN": "12345",
        "GATEWAY_TWILIO_AUTH_TOKEN_FILE": "token",
    }
    found = problems(written(tmp_path, CARRIER), environ)
    assert found[0] == (
        "environment: GATEWAY_HTTP_LISTN: unknown; did you mean GATEWAY_HTTP_LISTEN?"
    )
    assert re.fullmatch(r"environment: GATEWAY_PORT: unknown; did you mean GATEWAY_\w+\?", found[1])
    assert found[2] == (
        'environment: GATEWAY_HTTP_BODY_SECONDS = "ten": is not a whole number; '
        "write body_seconds = 10"
    )
    assert found[3] == (
        "environment: GATEWAY_TWILIO_AUTH_TOKEN = •••: auth_token_file is given as well; "
        "keep one of the two"
    )
    assert found[4] == (
        'environment: GATEWAY_LOG_LEVEL = "": is not a choice; '
        "write one of: debug, info, warning, error"
    )
    assert len(found) == 5


@given(
    st.dictionaries(
        st.sampled_from([s.variable(name) for s in SECTIONS for k in s.keys for name in k.names]),
        st.text(max_size=30)
        | st.from_regex(r"(https?|sqlite|postgresql)://[\[\]:@/?#.a-z0-9%]{0,30}", fullmatch=True)
        | st.from_regex(r"[\[\]:.a-f0-9%]{0,20}:[0-9]{1,6}", fullmatch=True),
        max_size=6,
    )
)
def test_whatever_a_variable_holds_is_taken_or_told_of(environ: dict[str, str]) -> None:
    """No value raises anything but the error that names it."""
    with contextlib.suppress(Misconfigured):
        load(ROOT / "config.toml", environ)


# --- what goes together ---


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:7000", "127.0.0.1:7000", True),
        ("0.0.0.0:7000", "127.0.0.1:7000", True),
        ("[::]:7000", "[::1]:7000", True),
        ("127.0.0.1:7000", "127.0.0.2:7000", False),
        ("[::]:7000", "0.0.0.0:7000", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_listeners_in_each_others_way_are_refused(
    tmp_path: Path, one: str, other: str, clash: bool
) -> None:
    """An address that covers another clashes with it; port 0 and other families do not."""
    path = written(tmp_path, f'[http]\nlisten = "{one}"\n[admin]\nlisten = "{other}"\n')
    if clash:
        assert "[http] listens there, too" in problems(path)[0]
    else:
        load(path, {})


def test_a_simulated_carrier_may_have_accounts_of_another_shape(tmp_path: Path) -> None:
    """Only the real platform's ids are held to its shape."""
    text = CARRIER.replace("AC00000000000000000000000000000000", "DEMO1")
    config = load(written(tmp_path, text + 'api_url = "http://127.0.0.1:9"\n'), {})
    assert config.twilio is not None
    assert config.twilio.account_sid == "DEMO1"


# --- the table and the file that shows it ---


def test_every_key_is_described_once_and_has_a_default_or_an_example() -> None:
    """The reference can be made of the table: one line a key, and something to write."""
    for section in SECTIONS:
        assert section.type.__doc__, section.name
        for key in section.keys:
            assert re.fullmatch(r"\S.*\.", key.doc), key.name
            assert (key.default is None) != (key.example is None), key.name


def test_every_field_of_a_section_is_a_key() -> None:
    """What the structs hold can be configured, and nothing else can."""
    for section in SECTIONS[1:]:
        fields = msgspec.structs.fields(section.type)
        assert [key.name for key in section.keys] == [field.name for field in fields]
    assert {s.name for s in SECTIONS[1:]} | {k.name for k in SECTIONS[0].keys} == set(
        Config.__struct_fields__
    )


def test_the_shipped_file_starts_as_it_is() -> None:
    """config.toml has no secrets, needs none, and changes no default."""
    text = (ROOT / "config.toml").read_text()
    assert all(content == {} for content in tomllib.loads(text).values())
    assert load(ROOT / "config.toml", {}).twilio is None


def test_the_shipped_file_shows_every_key_with_its_default(tmp_path: Path) -> None:
    """Uncommented, config.toml is a right configuration that names every key there is."""
    text = ENTRY_OF_CONFIG_TOML.sub("", (ROOT / "config.toml").read_text())
    shown = tomllib.loads(text)
    for section in SECTIONS:
        content = shown[section.name] if section.name else shown
        for key in section.keys:
            name = next((name for name in key.names if name in content), None)
            assert name is not None, f"[{section.name}] {key.name}"
            assert key.default is None or content[name] == key.default, key.name
    (tmp_path / "secrets").mkdir()
    contexts(tmp_path, "relay.example.jp")
    (tmp_path / "certificate.pem").rename(tmp_path / "ca.pem")
    for name in ("database.password", "twilio.token", "twilio-previous.token", "smtp.password"):
        secret = tmp_path / "secrets" / name
        secret.write_text("12345")
        secret.chmod(0o600)
    environ = {"GATEWAY_STORAGE_URL": "postgresql://gateway@127.0.0.1/gateway"}
    assert load(written(tmp_path, text), environ).smtp_in is not None
