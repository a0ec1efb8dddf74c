"""compose/ and the Dockerfile against what the code expects: no container runs here, so they are read."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from joinbridge import __version__
from joinbridge.bus.amqp.topology import topology
from joinbridge.bus.mqtt.topics import alert_topics
from joinbridge.cli.app import load as load_command
from joinbridge.config import Settings, load
from joinbridge.wiring.rehearsing import ESTATE_QUEUE
from support.prometheus import promtool

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: run make install-dev")

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
MINE = ("joinbridge", "simulator")

Service = Mapping[str, Any]  # Any: what YAML holds

FILE: Mapping[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))
SERVICES: Mapping[str, Service] = FILE["services"]
PROMETHEUS: Mapping[str, Any] = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text("utf-8"))
DEFINITIONS: Mapping[str, Any] = json.loads((COMPOSE / "definitions.json").read_text("utf-8"))

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets as the tool makes them."""
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    subprocess.run([sys.executable, str(ROOT / "tools" / "compose_secrets.py"), str(folder)], check=True)
    return folder


def settings_of(service: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings that `service` would load."""
    for name, value in SERVICES[service]["environment"].items():
        monkeypatch.setenv(name, str(value).replace("/run/secrets", str(secrets)))
    return load(COMPOSE / "joinbridge.toml")


def seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)s", text)
    assert found is not None, text
    return int(found[1])


def secret_names(service: Service) -> set[str]:
    return {each if isinstance(each, str) else each["source"] for each in service.get("secrets", [])}


class TestEachService:
    @each_service
    def test_has_an_image_of_one_version(self, service: Service) -> None:
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"])

    @each_service
    def test_is_no_root_and_can_become_none(self, service: Service) -> None:
        user, group = map(int, service["user"].split(":"))

        assert user > 0
        assert group > 0
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]

    @each_service
    def test_has_limits(self, service: Service) -> None:
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}

    @each_service
    def test_is_started_again_and_watched(self, service: Service) -> None:
        assert service["restart"] in {"unless-stopped", "on-failure:3"}
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])

    @each_service
    def test_waits_for_others_until_they_are_healthy(self, service: Service) -> None:
        for name, how in service.get("depends_on", {}).items():
            assert name in SERVICES
            assert how == {"condition": "service_healthy"}

    @each_service
    def test_is_reached_from_this_machine_only(self, service: Service) -> None:
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))

    @each_service
    def test_mounts_only_what_is_there_and_changes_no_file_of_ours(self, service: Service) -> None:
        for mount in service["volumes"]:
            source, _, mode = mount.split(":") if mount.startswith(".") else (*mount.split(":"), None)
            if mode is None:
                assert source in FILE["volumes"]
            else:
                assert (COMPOSE / source).exists()
                assert mode == "ro"

    @each_service
    def test_asks_only_for_secrets_that_the_tool_makes(self, service: Service, secrets: Path) -> None:
        for name in secret_names(service):
            file = Path(FILE["secrets"][name]["file"])

            assert file.parent == Path("secrets")
            assert (secrets / file.name).read_text("utf-8")

    @each_service
    def test_reads_every_secret_that_it_has_and_no_other(self, service: Service) -> None:
        mounted = "\n".join((COMPOSE / each.split(":")[0]).read_text("utf-8") for each in service["volumes"] if each.startswith("./"))
        mounted = mounted.replace("$name", "joinbridge") + mounted.replace("$name", "smi")
        used = set(re.findall(r"/run/secrets/([\w-]+)", f"{service.get('environment', {})}{mounted}"))
        with_a_place = {each["source"] for each in service.get("secrets", []) if not isinstance(each, str)}

        assert used == secret_names(service) - with_a_place

    def test_all_secrets_are_used_and_none_is_committed(self) -> None:
        assert set().union(*map(secret_names, SERVICES.values())) == set(FILE["secrets"])
        assert "/secrets/" in (COMPOSE / ".gitignore").read_text("utf-8").split()


class TestWhatJoinbridgeIsTold:
    @pytest.mark.parametrize("name", MINE)
    def test_loads_and_leads_to_the_services(self, name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = settings_of(name, secrets, monkeypatch)

        urls = [settings.amqp.url, settings.inventory.url]
        urls += [settings.database.url, settings.mqtt.url] if name == "joinbridge" else []
        found = [urlsplit(url.get_secret_value()) for url in urls if url is not None]
        assert [(url.hostname, url.port) for url in found] == [
            *(("rabbitmq", 5672), ("postgresql", 5432)),
            *((("postgresql", 5432), ("mosquitto", 1883)) if name == "joinbridge" else ()),
        ]

    def test_both_live_in_the_same_time_and_on_the_same_bus(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        one, other = (settings_of(name, secrets, monkeypatch) for name in MINE)

        assert one.rehearsal == other.rehearsal
        assert one.bus == other.bus
        assert one.inventory == other.inventory

    @pytest.mark.parametrize("name", MINE)
    def test_the_command_is_one_with_these_options(self, name: str) -> None:
        command, *arguments = SERVICES[name]["command"]
        known = {option for parameter in load_command(command).params for option in parameter.opts}

        assert {option for option in arguments if option.startswith("--")} <= known

    def test_the_end_has_the_time_that_draining_takes(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = settings_of("joinbridge", secrets, monkeypatch)

        assert seconds(SERVICES["joinbridge"]["stop_grace_period"]) > settings.runtime.drain.total_seconds()

    def test_it_is_not_called_unhealthy_while_it_waits_for_the_others(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = settings_of("joinbridge", secrets, monkeypatch)
        patience = max(settings.amqp.connect_deadline, settings.database.connect_deadline).total_seconds()

        assert seconds(SERVICES["joinbridge"]["healthcheck"]["start_period"]) > patience
        assert f"--start-period={SERVICES['joinbridge']['healthcheck']['start_period']}" in DOCKERFILE

    def test_health_is_the_file_that_it_makes_where_it_may_write(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = settings_of("joinbridge", secrets, monkeypatch)
        ready = settings.runtime.ready_file

        assert ready is not None
        assert SERVICES["joinbridge"]["healthcheck"]["test"] == ["CMD", "test", "-e", str(ready)]
        assert any(each.split(":")[0] == str(ready.parent) for each in SERVICES["joinbridge"]["tmpfs"])
        assert f"JOINBRIDGE_RUNTIME__READY_FILE={ready}" in DOCKERFILE


class TestRabbitMq:
    def test_its_definitions_are_what_joinbridge_would_declare(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        wanted = topology(settings_of("joinbridge", secrets, monkeypatch))

        exchanges = {(one["name"], one["type"], one["durable"]) for one in DEFINITIONS["exchanges"]}
        assert exchanges == {(one.name, one.kind, True) for one in wanted.exchanges}
        assert {one["name"]: one["arguments"] for one in DEFINITIONS["queues"]} == {one.name: one.arguments for one in wanted.queues}
        bindings = {(one["source"], one["destination"], one["routing_key"], one["destination_type"]) for one in DEFINITIONS["bindings"]}
        assert bindings == {(tie.source, tie.destination, tie.key, "exchange" if tie.to_exchange else "queue") for tie in wanted.ties}

    def test_everything_is_in_the_virtual_host_of_the_urls(self, secrets: Path) -> None:
        [host] = [one["name"] for one in DEFINITIONS["vhosts"]]

        assert {one["vhost"] for kind, listed in DEFINITIONS.items() if kind != "vhosts" for one in listed} == {host}
        for name in ("joinbridge-amqp-url", "estate-amqp-url"):
            assert urlsplit((secrets / name).read_text("utf-8")).path == f"/{host}"

    def test_users_with_permissions_are_those_that_the_tool_makes(self, secrets: Path) -> None:
        users = json.loads((secrets / "rabbitmq-users.json").read_text("utf-8"))["users"]

        assert {one["user"] for one in DEFINITIONS["permissions"]} == {one["name"] for one in users}
        for name in ("joinbridge", "estate"):
            assert urlsplit((secrets / f"{name}-amqp-url").read_text("utf-8")).username == name

    def test_the_queue_of_the_simulator_is_bounded(self) -> None:
        [policy] = DEFINITIONS["policies"]

        assert re.search(policy["pattern"], ESTATE_QUEUE)
        assert not any(re.search(policy["pattern"], queue["name"]) for queue in DEFINITIONS["queues"])

    def test_its_definitions_are_mounted_where_it_looks_for_them_users_first(self) -> None:
        [folder] = re.findall(r"^load_definitions = (.+)$", (COMPOSE / "rabbitmq.conf").read_text("utf-8"), re.MULTILINE)
        service = SERVICES["rabbitmq"]
        targets = [each["target"] for each in service["secrets"]] + [each.split(":")[1] for each in service["volumes"]]

        assert [file for file in sorted(targets) if file.startswith(folder)] == [f"{folder}/00-users.json", f"{folder}/10-topology.json"]

    def test_a_delivery_is_given_up_before_the_broker_gives_up_on_it(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        [timeout_ms] = re.findall(r"^consumer_timeout = (\d+)$", (COMPOSE / "rabbitmq.conf").read_text("utf-8"), re.MULTILINE)
        hold = settings_of("joinbridge", secrets, monkeypatch).amqp.hold

        # It looks every minute.
        assert int(timeout_ms) / 1000 > hold.total_seconds() + 60


class TestMosquitto:
    def test_joinbridge_may_read_what_it_subscribes_to(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = settings_of("joinbridge", secrets, monkeypatch)
        assert settings.mqtt.url is not None
        user = urlsplit(settings.mqtt.url.get_secret_value()).username
        rights = (COMPOSE / "mosquitto.acl").read_text("utf-8")

        assert f"user {user}\ntopic read {alert_topics(settings.mqtt.topic).filter}\n" in rights

    def test_each_user_with_rights_has_a_password(self, secrets: Path) -> None:
        named = re.findall(r"^user (.+)$", (COMPOSE / "mosquitto.acl").read_text("utf-8"), re.MULTILINE)
        known = [line.split(":")[0] for line in (secrets / "mosquitto-passwords").read_text("utf-8").splitlines()]

        assert sorted(named) == sorted(known)

    def test_its_files_are_mounted_where_it_looks_for_them(self) -> None:
        text = (COMPOSE / "mosquitto.conf").read_text("utf-8")
        targets = {each.split(":")[1].rstrip("/") for each in SERVICES["mosquitto"]["volumes"]}

        assert set(re.findall(r"/mosquitto/[\w./]*\w", text)) <= targets

    def test_it_keeps_a_session_longer_than_joinbridge_asks_for(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        [days] = re.findall(r"^persistent_client_expiration (\d+)d$", (COMPOSE / "mosquitto.conf").read_text("utf-8"), re.MULTILINE)

        assert int(days) * 86400 > settings_of("joinbridge", secrets, monkeypatch).mqtt.session_expiry.total_seconds()


class TestPrometheusAndGrafana:
    def mounts(self, service: str) -> Mapping[str, Path]:
        """Return what of ours is mounted, by where."""
        mounts = [each.split(":") for each in SERVICES[service]["volumes"] if each.startswith(".")]
        return {target: (COMPOSE / source).resolve() for source, target, _ in mounts}

    def test_prometheus_takes_its_configuration(self) -> None:
        done = promtool("check", "config", "--syntax-only", str(COMPOSE / "prometheus" / "prometheus.yml"))

        assert done.returncode == 0, done.stdout + done.stderr

    def test_prometheus_asks_joinbridge_where_it_listens(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        http = settings_of("joinbridge", secrets, monkeypatch).http
        jobs = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}

        assert http.enabled
        assert http.host == "0.0.0.0"  # noqa: S104 - of a container that publishes no port
        assert "ports" not in SERVICES["joinbridge"]
        assert jobs["joinbridge"]["static_configs"] == [{"targets": [f"joinbridge:{http.port}"]}]
        assert all(target.split(":")[0] in SERVICES for job in jobs.values() for one in job["static_configs"] for target in one["targets"])

    def test_prometheus_has_the_rules(self) -> None:
        [pattern] = PROMETHEUS["rule_files"]
        folder = self.mounts("prometheus")[str(Path(pattern).parent)]

        assert {file.name for file in folder.glob(Path(pattern).name)} == {"alerts.yml", "recording.yml"}

    def test_grafana_finds_the_dashboards_and_their_data(self) -> None:
        mounts = self.mounts("grafana")
        [provider] = yaml.safe_load(mounts["/etc/grafana/provisioning/dashboards/joinbridge.yaml"].read_text("utf-8"))["providers"]
        [source] = yaml.safe_load(mounts["/etc/grafana/provisioning/datasources/joinbridge.yaml"].read_text("utf-8"))["datasources"]

        assert len(list(mounts[provider["options"]["path"]].glob("*.json"))) == 5
        assert source["type"] == "prometheus"
        assert urlsplit(source["url"]).hostname in SERVICES

    def test_nobody_can_change_anything_in_grafana(self) -> None:
        told = SERVICES["grafana"]["environment"]

        assert told["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
        assert told["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == told["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"


class TestSecrets:
    def test_made_again_passwords_stay(self, secrets: Path) -> None:
        before = {file.name: file.read_text("utf-8") for file in secrets.glob("*-password")}

        subprocess.run([sys.executable, str(ROOT / "tools" / "compose_secrets.py"), str(secrets)], check=True)

        assert {file.name: file.read_text("utf-8") for file in secrets.glob("*-password")} == before
        assert len(set(before.values())) == len(before)

    def test_nobody_else_can_enter_their_folder(self, secrets: Path) -> None:
        assert secrets.stat().st_mode & 0o077 == 0


class TestImage:
    def stages(self) -> list[str]:
        return re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]

    def test_its_base_is_one_version_for_both_stages(self) -> None:
        bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

        assert len(bases) == 2
        assert len(set(bases)) == 1
        assert re.fullmatch(r"python:3\.1[1-3]\.\d+-slim-\w+", bases[0])

    def test_everything_that_is_installed_has_a_hash_or_is_our_own_wheel(self) -> None:
        installs = re.findall(r"pip (?:--python \S+ )?install ([^&\n\\]*)", DOCKERFILE)

        assert len(installs) == 3
        for install in installs:
            assert "--require-hashes" in install or ("--no-deps --no-index" in install and "joinbridge-*.whl" in install)

    def test_it_runs_as_nobody_that_could_change_it(self) -> None:
        last = self.stages()[-1]

        assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
        assert last.index("USER 10001:10001") > last.index("COPY --from=build")
        assert SERVICES["joinbridge"]["user"] == "10001:10001"

    def test_it_has_no_build_tools(self) -> None:
        last = self.stages()[-1]

        assert "pip uninstall --yes" in last
        assert "apt-get" not in last
        assert " install -r " not in last

    def test_its_health_is_that_of_the_service(self) -> None:
        [check] = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)

        assert ["CMD", *json.loads(check)] == SERVICES["joinbridge"]["healthcheck"]["test"]

    def test_what_it_copies_is_there_and_let_through(self) -> None:
        allowed = [line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
        copied = [
            source.rstrip("/")
            for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
            for source in shlex.split(line)[:-1]
        ]

        assert sorted(copied) == sorted(allowed)
        assert all((ROOT / source).exists() for source in copied)

    def test_compose_builds_this_version(self) -> None:
        assert {SERVICES[name]["image"] for name in MINE} == {f"joinbridge:{__version__}"}
        assert (COMPOSE / SERVICES["joinbridge"]["build"]["context"]).resolve() == ROOT
