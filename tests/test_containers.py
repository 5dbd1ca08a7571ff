"""The container files fit the code that they run, as far as shows without a container engine."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
import yaml

from proxy.cli.main import program
from proxy.settings import LOOPBACK, split_address
from proxy.settings_file import load_settings

ROOT = Path(__file__).parent.parent
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
STAGES = DOCKERFILE.split("\nFROM ")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


def instructions(name, text=DOCKERFILE):
    return re.findall(rf"^{name} +(.*)$", text, re.MULTILINE)


def compose_settings():
    file = ROOT / "deploy" / "compose.toml"
    return load_settings(file.read_text(), str(file), SERVICES["proxy"]["environment"], {})


def test_what_is_copied_into_the_image_is_there_and_not_ignored():
    copied = {
        source
        for line in instructions("COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    }
    let_in = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }

    assert all((ROOT / source).exists() for source in copied)
    assert copied <= let_in


def test_every_package_of_the_image_is_checked_against_a_hash():
    fetching = [
        command
        for line in instructions("RUN")
        for command in line.split("&&")
        if re.search(r"\bpip\b.* (?:install|wheel)\b", command)
    ]

    assert fetching
    assert all("--require-hashes" in line or "--no-index" in line for line in fetching)


def test_the_image_runs_as_a_user_without_rights():
    (user,) = instructions("USER", STAGES[-1])

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD"])
def test_no_shell_stands_between_the_signal_and_the_proxy(name):
    (line,) = instructions(name, STAGES[-1])

    assert line.startswith("[")


def test_the_health_check_is_python_that_asks_the_admin_listener():
    (line,) = instructions("HEALTHCHECK", STAGES[-1])
    interpreter, flag, program = yaml.safe_load(line.partition("CMD ")[2])

    assert (interpreter, flag) == ("python", "-c")
    assert "/readyz" in program
    compile(program, "health check", "exec")


def test_compose_brings_a_proxy_a_redis_and_a_vendor():
    assert {"proxy", "redis", "simvendor"} <= SERVICES.keys()


def test_what_a_service_waits_for_exists():
    waited = {other for service in SERVICES.values() for other in service.get("depends_on", {})}

    assert waited <= SERVICES.keys()


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_writes_nowhere_but_its_volume(name):
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", ["register", "first-pin", "proxyctl"])
def test_a_command_of_compose_is_one_that_proxyctl_takes(name):
    verb, *arguments = SERVICES[name]["command"]

    command = program.get_command(click.Context(program), verb)
    assert command.make_context(verb, arguments).params


def test_compose_mounts_files_that_are_there():
    mounts = [volume.split(":")[0] for name in OURS for volume in SERVICES[name].get("volumes", [])]
    folders = {mount for mount in mounts if mount.startswith("./")}

    assert folders
    assert all((ROOT / folder).exists() for folder in folders)
    assert {mount for mount in mounts if mount not in folders} <= COMPOSE["volumes"].keys()


def test_nothing_is_published_beyond_this_machine():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_redis_keeps_what_it_is_told():
    command = " ".join(SERVICES["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_proxys_configuration_is_valid_and_listens_where_the_port_leads():
    settings = compose_settings()
    host, port = split_address(settings.listen.data)

    assert host == "0.0.0.0"
    assert [f"127.0.0.1:{port}:{port}"] == SERVICES["proxy"]["ports"]


def test_the_vendor_of_compose_is_where_the_proxy_looks_for_it():
    (vendor,) = compose_settings().vendors.values()
    url = urlsplit(vendor.base_url)

    assert url.hostname in LOOPBACK
    assert SERVICES["simvendor"]["network_mode"] == "service:proxy"
    assert SERVICES["simvendor"]["command"] == ["--port", str(url.port)]


def test_the_vendors_key_is_in_the_environment_that_it_is_read_from():
    (vendor,) = compose_settings().vendors.values()

    assert SERVICES["proxy"]["environment"][vendor.api_key_env]


def test_the_token_that_the_documents_name_is_the_one_that_is_taken():
    (app,) = compose_settings().apps.values()
    commands = (ROOT / "docs" / "docker.md").read_text()
    (token,) = set(re.findall(r"Bearer ([\w-]+)", commands))

    assert hashlib.sha256(token.encode()).hexdigest() == app.token_sha256
