"""The samples for operators fit the gateway, and each other."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.http import health
from gateway import config
from gateway.config import SECTIONS, Config
from metrics.exposition import Exposition
from metrics.metric import Metric
from metrics.observer import Metrics
from metrics.registry import METRICS

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "metrics"
PROVISIONING = SAMPLES / "grafana/provisioning"

LONGEST_ID = "a" * 40
LARGEST_VALUE = "1234567890"
UNEVEN = 1.1
"""How much larger a part may be than another: ids fall into parts by their sums."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


SCRAPED = {job["job_name"]: job for job in read(SAMPLES / "prometheus.yml")["scrape_configs"]}
JOBS = {name: job for name, job in SCRAPED.items() if name != "prometheus"}
"""Those of the gateway."""
OF_ADVERTISER = read(SAMPLES / "prometheus-advertiser.yml")["scrape_configs"][0]
COMPOSE = read(ROOT / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def targets(job: dict[str, Any]) -> list[list[str]]:
    return [group["targets"] for group in job["static_configs"]]


# --- Prometheus ---


def lines_of(metric: Metric) -> Iterator[str]:
    """The lines that one advertiser, or one value of each open label, has on a page."""
    values = [
        [(name, value) for value in closed or (LONGEST_ID,)]
        for name, closed in metric.labels.items()
    ]
    for labels in product(*values):
        inside = ",".join(f'{name}="{value}"' for name, value in labels)
        for _ in range(len(metric.buckets) + 3 if metric.buckets else 1):
            yield f"{metric.full_name}{{{inside}}} {LARGEST_VALUE}\n"


def test_the_pages_that_are_scraped_are_served() -> None:
    """Both jobs ask for a page of the metrics listener, of the same processes."""
    served = {route.path for route in Exposition(Metrics("0", lambda: 0)).routes()}
    assert {job.get("metrics_path", "/metrics") for job in JOBS.values()} == served
    processes = {tuple(group) for job in JOBS.values() for group in targets(job)}
    assert len(processes) == 1


def test_the_parts_of_advertisers_are_a_whole() -> None:
    """Each process is asked for every part once, and the figures do not know of parts."""
    job = JOBS["gateway-advertisers"]
    parts = [group["labels"]["shard"] for group in job["static_configs"]]
    assert parts == [f"{part}/{len(parts)}" for part in range(1, len(parts) + 1)]
    assert {"source_labels": ["shard"], "target_label": "__param_shard"} in job["relabel_configs"]
    assert job["metric_relabel_configs"] == [{"action": "labeldrop", "regex": "shard"}]


def test_the_limits_hold_for_as_many_advertisers_as_are_shown() -> None:
    """A part of the default's many, with long ids and large figures, is let in; not ten times."""
    job = JOBS["gateway-advertisers"]
    [most] = [
        key.default
        for section in SECTIONS
        for key in section.keys
        if (section.name, key.name) == ("metrics", "max_advertisers")
    ]
    lines = [
        line for metric in METRICS if metric.scope == "advertiser" for line in lines_of(metric)
    ]
    told = (ROOT / "docs/operate.md").read_text()
    assert f"{len(lines)} series for each advertiser" in told
    assert f"`[metrics] max_advertisers = {most}`" in told
    in_part = UNEVEN * most / len(job["static_configs"])
    size = int(job["body_size_limit"].removesuffix("MB")) * 2**20
    assert in_part * len(lines) < job["sample_limit"] < 10 * in_part * len(lines)
    assert in_part * len("".join(lines)) < size < 10 * in_part * len("".join(lines))


def test_the_limits_hold_for_a_process_and_for_an_advertiser_s_own() -> None:
    """A process with a hundred routes is let in, and a token with a hundred advertisers."""
    for job, scope in ((JOBS["gateway"], "process"), (OF_ADVERTISER, "advertiser")):
        lines = [
            line
            for metric in METRICS
            if metric.scope == scope
            for line in 100 * [*lines_of(metric)]
        ]
        assert len(lines) < job["sample_limit"]
        assert len("".join(lines)) < int(job["body_size_limit"].removesuffix("MB")) * 2**20


def test_the_limits_hold_for_every_label() -> None:
    """Each metric's labels are few and short enough, a server's longest name among them."""
    for job in (*JOBS.values(), OF_ADVERTISER):
        assert job["label_value_length_limit"] > len("n" * 253 + ":65535")
        for metric in METRICS:
            names = [*metric.labels, "__name__", "job", "instance", "shard", "le"]
            assert len(names) <= job["label_limit"]
            assert max(map(len, names)) <= job["label_name_length_limit"]
            values = [metric.full_name + "_bucket", *sum(metric.labels.values(), ())]
            assert max(map(len, values)) <= job["label_value_length_limit"]


def test_an_advertiser_s_own_prometheus_asks_the_api() -> None:
    """Its job asks for the call of the API, over TLS, with its token from a file, under the name
    that the dashboards know.
    """
    assert OF_ADVERTISER["job_name"] in JOBS
    assert OF_ADVERTISER["metrics_path"] == "/api/v1/metrics"
    assert OF_ADVERTISER["scheme"] == "https"
    assert OF_ADVERTISER["authorization"].keys() == {"credentials_file"}


# --- Alertmanager ---


def test_what_alertmanager_hides_are_alarms_of_the_rules() -> None:
    """Every alarm that its sample names is one of the rules."""
    rules = "".join(path.read_text() for path in (SAMPLES / "rules").glob("*.yml"))
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    text = (SAMPLES / "alertmanager.yml").read_text()
    named = {
        name for names in re.findall(r'alertname \S+ "?([\w|]+)', text) for name in names.split("|")
    }
    assert named
    assert named <= alerts


def test_a_process_that_takes_no_calls_does_not_hide_why() -> None:
    """Alarms of what it stands on are told beside it: of its database, its disk and its spool."""
    rules = read(SAMPLES / "alertmanager.yml")["inhibit_rules"]
    [hidden] = [
        matcher
        for rule in rules
        if "alertname = NotReady" in rule["source_matchers"]
        for matcher in rule["target_matchers"]
    ]
    found = re.fullmatch(r'alertname =~ "([\w|]+)"', hidden)
    assert found
    causes = {"StoreDown", "StoreQueueOld", "DiskLow", "DiskFills", "SpoolNearlyFull", "LoopLate"}
    assert not causes & set(found[1].split("|"))


# --- compose ---


def mounts(service: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for mount in service.get("volumes", ()):
        source, target, *mode = mount.split(":")
        yield source, target, "".join(mode)


def test_images_are_named_by_their_full_version() -> None:
    """Nothing is pulled that changes under its name, but for fixes of one release."""
    images = {name: service["image"] for name, service in SERVICES.items()}
    assert {name for name, image in images.items() if image == "tsunagi"} == {"migrate", "gateway"}
    for name, image in images.items():
        assert name in ("migrate", "gateway") or re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", image)
    assert SERVICES["grafana"]["image"].startswith("grafana/grafana:11.6.")
    assert SERVICES["postgres"]["image"].startswith("postgres:17.")


def test_every_file_that_is_mounted_is_there_and_cannot_be_written() -> None:
    """Files of the clone are mounted for reading; what is written has a volume that is declared."""
    used = set()
    for service in SERVICES.values():
        for source, _, mode in mounts(service):
            if source.startswith("./secrets"):
                assert mode == "ro"
            elif source.startswith("./"):
                assert (ROOT / source).exists(), source
                assert mode == "ro", source
            else:
                used.add(source)
                assert not mode
    assert used == COMPOSE["volumes"].keys()
    assert {name for s in SERVICES.values() for name in s.get("secrets", ())} == COMPOSE[
        "secrets"
    ].keys()
    assert all(secret["file"].startswith("secrets/") for secret in COMPOSE["secrets"].values())
    assert "/secrets/\n" in (ROOT / ".gitignore").read_text()


def test_ports_are_open_on_loopback_alone() -> None:
    """What others may reach stands behind a proxy; the database is for the gateway alone."""
    for name, service in SERVICES.items():
        for port in service.get("ports", ()):
            address, outside, inside = port.split(":")
            assert address == "127.0.0.1"
            assert outside == inside, name
    assert "ports" not in SERVICES["postgres"]


def test_services_come_back_and_are_waited_for() -> None:
    """What runs is started again and has a health check; the schema comes first."""
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
        # The gateway's own check is in its image.
        assert "healthcheck" in service or name == "gateway"
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
    assert SERVICES["migrate"]["command"] == ["migrate"]
    assert SERVICES["gateway"]["depends_on"]["migrate"] == {
        "condition": "service_completed_successfully"
    }


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    """The gateway's configuration in its container: the sample, and what the environment says."""
    (tmp_path / "config.toml").write_text((ROOT / "config.toml").read_text())
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/database.password").touch(mode=0o600)
    (tmp_path / "secrets/database.password").write_text("swordfish\n")
    return config.load(tmp_path / "config.toml", SERVICES["gateway"]["environment"])


def test_the_gateway_takes_its_settings(settings: Config) -> None:
    """Each variable is a setting; the database is the neighbour's, with the password of both."""
    assert settings.storage.url == "postgresql://gateway@postgres:5432/gateway"
    assert settings.storage.password == "swordfish"
    assert SERVICES["postgres"]["environment"] == {
        "POSTGRES_USER": "gateway",
        "POSTGRES_DB": "gateway",
        "POSTGRES_PASSWORD_FILE": "/run/secrets/database_password",
    }
    assert COMPOSE["secrets"]["database_password"]["file"] == "secrets/gateway/database.password"
    for name in ("migrate", "gateway"):
        assert {source: target for source, target, _ in mounts(SERVICES[name])} == {
            "state": "/var/lib/tsunagi",
            "./config.toml": "/var/lib/tsunagi/config.toml",
            "./secrets/gateway": "/var/lib/tsunagi/secrets",
        }
    assert "WORKDIR /var/lib/tsunagi\n" in (ROOT / "Dockerfile").read_text()


def test_ports_are_those_that_are_listened_on(settings: Config) -> None:
    """Every listener is published, and reached from outside its container."""
    listens = (settings.http.listen, settings.admin.listen, settings.metrics.listen)
    assert SERVICES["gateway"]["ports"] == [f"127.0.0.1:{a.port}:{a.port}" for a in listens]
    assert {address.host for address in listens} == {"0.0.0.0"}  # noqa: S104 - in a container
    probe = re.search(r"127\.0\.0\.1:(\d+)(/\w+)", (ROOT / "Dockerfile").read_text())
    assert probe is not None
    assert int(probe[1]) == settings.metrics.listen.port
    assert probe[2] in {route.path for route in health.routes(lambda: "ready")}


def test_the_set_is_wired_by_its_names(settings: Config) -> None:
    """Prometheus, Alertmanager and Grafana find each other where their samples say."""
    sample = read(SAMPLES / "prometheus.yml")
    assert targets(JOBS["gateway"]) == [[f"gateway:{settings.metrics.listen.port}"]]
    assert targets(SCRAPED["prometheus"]) == [["localhost:9090"]]  # which no option changes
    assert not any("--web.listen" in option for option in SERVICES["prometheus"]["command"])
    [to] = sample["alerting"]["alertmanagers"]
    assert to["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    sources = read(PROVISIONING / "datasources/prometheus.yml")["datasources"]
    urls = {source["type"]: source["url"] for source in sources}
    assert urls == {
        "prometheus": "http://prometheus:9090",
        "alertmanager": "http://alertmanager:9093",
    }
    assert {"prometheus", "alertmanager"} <= SERVICES.keys()
    for service, file in (("prometheus", "prometheus.yml"), ("alertmanager", "alertmanager.yml")):
        [option] = [o for o in SERVICES[service]["command"] if o.startswith("--config.file=")]
        found = {source: target for source, target, _ in mounts(SERVICES[service])}
        assert found[f"./metrics/{file}"] == option.partition("=")[2]
    rules = {target for _, target, _ in mounts(SERVICES["prometheus"])}
    [pattern] = sample["rule_files"]
    assert f"/etc/prometheus/{Path(pattern).parent}" in rules


def test_grafana_finds_the_dashboards() -> None:
    """They are mounted where its provider looks, and rates look at enough scrapes."""
    [provider] = read(PROVISIONING / "dashboards/tsunagi.yml")["providers"]
    found = {source: target for source, target, _ in mounts(SERVICES["grafana"])}
    assert found["./metrics/dashboards"] == provider["options"]["path"]
    assert found["./metrics/grafana/provisioning"] == "/etc/grafana/provisioning"
    sources = read(PROVISIONING / "datasources/prometheus.yml")["datasources"]
    [prometheus] = [source for source in sources if source["type"] == "prometheus"]
    assert prometheus["jsonData"]["timeInterval"] == JOBS["gateway-advertisers"]["scrape_interval"]
    assert prometheus["jsonData"]["alertmanagerUid"] in {source["uid"] for source in sources}
