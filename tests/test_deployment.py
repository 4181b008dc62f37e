"""The deployment's files agree with the code and with each other; no container runtime is needed to see it."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from serienmail.settings import load_settings
from worker import GRACEFUL_SHUTDOWN

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
DOCKERFILE = (ROOT / "Dockerfile").read_text()

SECRET = "0123456789abcdef0123456789abcdef"


def filled_in(value: str) -> str:
    """A compose value after interpolation, with an .env that was filled in."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda reference: env[reference[1]] or SECRET, value)


def option(command: list[str], name: str) -> str:
    """The value that a command gives to an option."""
    return command[command.index(name) + 1]


@pytest.mark.parametrize("service", OURS)
def test_the_settings_of_a_service_are_accepted(service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {name: filled_in(value) for name, value in SERVICES[service]["environment"].items()}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings().model_dump()
    for name in (name for name in given if name.startswith("SERIENMAIL_")):
        found: Any = settings
        for part in name.removeprefix("SERIENMAIL_").lower().split("__"):
            assert part in found, name
            found = found[part]


@pytest.mark.parametrize("service", OURS)
def test_the_command_of_a_service_exists_with_its_options(service: str) -> None:
    command: list[str] = SERVICES[service]["command"]
    options = [word for word in command if word.startswith("--")]
    program = command[: command.index(options[0])] if options else command
    start = [str(Path(sys.executable).with_name(program[0])), *program[1:], "--help"]
    environment = {"PATH": "", "COLUMNS": "200"}
    shown = subprocess.run(start, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    assert [name for name in options if name not in shown.stdout] == []


def test_the_web_listens_where_it_is_looked_for() -> None:
    web = SERVICES["web"]
    port = option(web["command"], "--port")
    assert web["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"127.0.0.1:{port}/health" in web["healthcheck"]["test"][-1]
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [port]
    assert f"127.0.0.1:{port}" in (ROOT / ".env.example").read_text()


def test_the_worker_s_health_is_asked_where_it_publishes_metrics() -> None:
    worker = SERVICES["worker"]
    _host, port = worker["environment"]["SERIENMAIL_METRICS_ADDRESS"].split(":")
    assert f"http://127.0.0.1:{port}/" in worker["healthcheck"]["test"][-1]


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_published_beyond_this_host(service: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_waits_for_exists_and_can_tell(service: str) -> None:
    for name, wait in SERVICES[service].get("depends_on", {}).items():
        assert ("healthcheck" in SERVICES[name]) == (wait["condition"] == "service_healthy")
        assert ("restart" in SERVICES[name]) == (wait["condition"] == "service_healthy")


def test_every_image_has_a_version() -> None:
    for service in SERVICES.values():
        assert re.fullmatch(r"[\w/.-]+:v?\d[\d.]*", service["image"])


def test_every_mounted_and_copied_file_exists() -> None:
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    files = [mount for mount in mounts if mount.startswith("./")] + " ".join(copied).split() + kept
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_a_stopped_worker_has_time_to_finish_the_mails_in_hand() -> None:
    grace = timedelta(minutes=int(SERVICES["worker"]["stop_grace_period"].removesuffix("m")))
    assert grace > GRACEFUL_SHUTDOWN


def test_processes_get_their_signals_and_do_not_run_as_root() -> None:
    assert re.search(r"^USER (?!root)\w+$", DOCKERFILE, re.MULTILINE)
    assert all(isinstance(SERVICES[name]["command"], list) for name in OURS)
    assert "\nCMD [" in DOCKERFILE


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").glob("*.sh")), ids=lambda script: script.name)
def test_a_script_can_be_read_by_a_plain_shell(script: Path) -> None:
    assert subprocess.run(["sh", "-n", script], check=False, timeout=10).returncode == 0


@pytest.fixture
def temporal() -> Iterator[dict[str, str]]:
    """The environment of a script beside an empty Temporal server."""
    tools = Path(sys.executable).parent
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [f"{tools}/temporal", "server", "start-dev", "--headless", "--log-level=never", f"--port={port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        yield {"PATH": f"{tools}:/usr/bin:/bin", "TEMPORAL_ADDRESS": f"127.0.0.1:{port}", "TEMPORAL_NAMESPACE": "new"}
        server.terminate()


def test_the_namespace_gets_its_search_attributes_however_often_it_is_set_up(temporal: dict[str, str]) -> None:
    for _twice in range(2):
        script = ["sh", str(ROOT / "deploy/temporal-namespace.sh")]
        subprocess.run(script, check=True, env=temporal, capture_output=True, timeout=60)
    listing = ["temporal", "operator", "search-attribute", "list"]
    shown = subprocess.run(listing, check=True, env=temporal, capture_output=True, text=True, timeout=30).stdout
    found = dict(line.split() for line in shown.splitlines() if len(line.split()) == 2)
    keywords = dict.fromkeys(("MassMailState", "MassMailOwner", "MassMailId"), "Keyword")
    assert (keywords | {"ScheduledAt": "Datetime"}).items() <= found.items()


def test_temporal_takes_turns_among_mass_mails() -> None:
    config = yaml.safe_load((ROOT / "deploy/temporal-dynamic-config.yaml").read_text())
    assert config == {"matching.enableFairness": [{"value": True}]}


def test_the_example_of_a_settings_file_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIENMAIL_CONFIG", str(ROOT / "serienmail.example.toml"))
    monkeypatch.setenv("SERIENMAIL_LINK_KEY", SECRET)
    assert load_settings().accounts["main"].tls == "starttls"
