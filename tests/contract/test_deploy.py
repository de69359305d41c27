"""What deploy/ runs: its commands, settings, ports and addresses are those of the code.

Nothing here runs a container: that needs an engine.
"""

import ipaddress
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
import yaml

from heltig.api.body_limits import LIMITS
from heltig.auth.policy import ROUTES
from heltig.cli import heltig
from heltig.cli.listed import COMMANDS
from heltig.setting_sources import annotation_of, load_settings, variable_of
from heltig.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CONTAINERFILE = (ROOT / "Containerfile").read_text("utf-8")
COMPOSE = sorted(DEPLOY.glob("compose*.yaml"))
UNITS = sorted(DEPLOY.glob("*.service"))
KNOWN = {variable_of(field.name): field.default for field in msgspec.structs.fields(Settings)}
ENV_FILE = DEPLOY / "heltig.env"
EXECUTABLE = "/opt/heltig/bin/heltig"


def services(file: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(file.read_bytes())["services"]
    return found


def ours() -> Iterator[tuple[str, dict[str, Any]]]:
    """The services of all compose files that run this project's image."""
    for file in COMPOSE:
        for name, service in services(file).items():
            if "image" not in service:
                yield f"{file.name}: {name}", service


def environment_of(unit: Path) -> dict[str, str]:
    """What a unit sets by itself."""
    given = [value.partition("=") for key, value in sections(unit)["Service"] if key == "Environment"]
    return {name: value for name, _, value in given}


def suggested() -> dict[str, str]:
    """The settings that heltig.env has, as if all of them were used."""
    lines = re.findall(r"^#(HELTIG_\w+)=(.*)$", ENV_FILE.read_text("utf-8"), re.M)
    return {name: value or "ab" * 32 for name, value in lines}


def environments(files: tuple[str, ...], **given: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The environment of each container of ours when some compose files are used together.

    Args:
        files: In the order in which they are named.
        given: What .env says.
    """
    (image,) = re.findall(r"^ENV (PATH=/opt/heltig.*(?:\\\n.*)*)$", CONTAINERFILE, re.M)
    found: dict[str, dict[str, str]] = {}
    for file in files:
        for name, service in services(DEPLOY / file).items():
            if "image" in service:
                continue
            started = found.setdefault(name, dict(re.findall(r"(HELTIG_\w+)=(\S+)", image)))
            if "env_file" in service:
                assert service["env_file"] == [ENV_FILE.name]
                started |= suggested()
            for variable, value in service.get("environment", {}).items():
                started[variable] = re.sub(
                    r"\$\{(\w+):[-?](\w*)\}", lambda of: given.get(of[1], of[2]), str(value)
                )
    yield from found.items()


def sections(unit: Path) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in unit.read_text("utf-8").splitlines():
        if line.startswith("["):
            found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[list(found)[-1]].append((key, value))
    return found


def parsed(words: list[str]) -> click.Context:
    """A command line of `heltig`, as far as it can be read without running it."""
    group: click.Command = heltig
    context = click.Context(heltig)
    words = words[1:]
    while isinstance(group, click.Group):
        found = group.get_command(context, words[0])
        assert found is not None, words
        group, words = found, words[1:]
        context = group.make_context(words[0] if words else "", list(words), parent=context)
    return context


@pytest.mark.parametrize(("name", "service"), list(ours()), ids=[name for name, _ in ours()])
def test_services_have_known_commands_and_settings(name: str, service: dict[str, Any]) -> None:
    if "command" in service:
        parsed(service["command"])
    for variable in service.get("environment", {}):
        assert variable in KNOWN or variable.startswith("HELTIG_SECRET_"), variable
    if "build" in service:
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


SHARED = [
    variable_of(field.name)
    for field in msgspec.structs.fields(Settings)
    if "need the same" in (annotation_of(field.type)[1].description or "")
]
"""What all processes of a database have to have alike."""


def secrets_of(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("HELTIG_SECRET_")}


FLEET = ("compose.yaml", "compose.fleet.yaml")


@pytest.mark.parametrize(
    "files",
    [
        FLEET[:1],
        (*FLEET[:1], "compose.example.yaml"),
        FLEET,
        (*FLEET, "compose.example.yaml"),
    ],
    ids=", ".join,
)
def test_every_container_has_what_the_others_have(files: tuple[str, ...]) -> None:
    """Those that work on one database: where it is, its keys, secrets of archives, and all other settings."""
    found = dict(environments(files, POSTGRES_PASSWORD="p", AUDIT_KEY="ab" * 32, ORTHANC_PASSWORD="o"))
    assert found.keys() == ({"heltig", "worker", "listener"} if FLEET[1] in files else {"heltig"})
    assert len(SHARED) >= 3
    loaded = {name: load_settings(environment) for name, environment in found.items()}
    for name, environment in found.items():
        own = {"host", "dicom_host", "dicom_port"}  # where each listens
        for field in msgspec.structs.fields(Settings):
            if field.name not in own:
                assert getattr(loaded[name], field.name) == getattr(loaded["heltig"], field.name), field.name
        assert secrets_of(environment) == secrets_of(found["heltig"])
        for value in environment.values():
            if value.startswith("env:"):
                assert environment.get(value.removeprefix("env:")), value
    if FLEET[1] in files:
        assert all(environment.get(variable) for environment in found.values() for variable in SHARED)
        assert loaded["worker"].database.startswith("postgresql")


def test_secrets_that_the_example_names_are_there() -> None:
    text = (DEPLOY / "compose.example.yaml").read_text("utf-8")
    (line,) = re.findall(r"exec heltig (heltig archives add .*)", text)
    parsed(shlex.split(line))
    (secret,) = re.findall(r"env:(HELTIG_SECRET_\w+)", line)
    together = environments((*FLEET, "compose.example.yaml"), ORTHANC_PASSWORD="known")
    assert {environment[secret] for _, environment in together} == {"known"}


def test_the_image_has_what_its_commands_need() -> None:
    for line in re.findall(r"uv sync .*", CONTAINERFILE):
        assert {"postgres", "dimse"} <= set(re.findall(r"--extra (\w+)", line)), line


def test_ports_that_are_published_are_listened_on() -> None:
    published = {
        name: [int(port.rpartition(":")[2]) for port in service["ports"]]
        for name, service in ours()
        if "ports" in service
    }
    assert published == {
        "compose.fleet.yaml: listener": [int(KNOWN["HELTIG_DICOM_PORT"])],
        "compose.yaml: heltig": [int(KNOWN["HELTIG_PORT"])],
    }
    assert f"EXPOSE {KNOWN['HELTIG_PORT']}\n" in CONTAINERFILE


def test_what_is_published_is_for_this_host_only() -> None:
    for _, service in ours():
        for port in service.get("ports", ()):
            assert "127.0.0.1:" in port


def test_the_address_of_a_proxy_before_containers_is_known() -> None:
    file = DEPLOY / "compose.yaml"
    (network,) = yaml.safe_load(file.read_bytes())["networks"]["default"]["ipam"]["config"]
    gateway = ipaddress.ip_address(network["gateway"])
    assert gateway in ipaddress.ip_network(network["subnet"])
    for text in (file, ENV_FILE, ROOT / "docs" / "nginx.md"):
        assert f"HELTIG_TRUSTED_PROXIES={gateway}" in text.read_text("utf-8")
    assert f"`{gateway}` with compose" in (DEPLOY / "README.md").read_text("utf-8")


def test_nginx_is_trusted_where_it_is() -> None:
    configuration = (DEPLOY / "nginx" / "heltig.conf").read_text("utf-8")
    assert "HELTIG_TRUSTED_PROXIES=127.0.0.1" in configuration
    assert "server 127.0.0.1:8042" in configuration
    # For everything, and once more at the gate, whose headers replace all of the level above.
    assert len(re.findall(r"proxy_set_header\s+X-Forwarded-For \$remote_addr;", configuration)) == 2


def test_nginx_lets_uploads_through() -> None:
    """Routes that take more than nginx' usual limit, each in a location that takes as much as Heltig."""
    configuration = (DEPLOY / "nginx" / "heltig.conf").read_text("utf-8")
    (pattern, block) = re.findall(r"location ~ (\S+) \{(.*?)\}", configuration, re.S)[0]
    (size,) = re.findall(r"client_max_body_size\s+(\d+)g;", block)
    assert int(size) * 1024**3 == KNOWN["HELTIG_UPLOAD_MAX_SIZE"]
    (usual,) = re.findall(r"location / \{\s+client_max_body_size (\d+)m;", configuration)
    for route, limit in LIMITS.items():
        path = route.partition(" ")[2]
        taken = limit(Settings())[0]
        assert taken <= int(usual) * 1024**2 or path.startswith("/gate/") or re.match(pattern, path), route


def test_everything_of_a_fleet_is_there() -> None:
    together: dict[str, Any] = {}
    for file in COMPOSE:
        together |= services(file)
    assert {"heltig", "worker", "listener", "postgres", "redis", "orthanc"} <= set(together)
    named = {
        one
        for file in COMPOSE
        for service in services(file).values()
        for one in service.get("depends_on", ())
    }
    assert named <= set(together)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_have_known_commands_and_settings(unit: Path) -> None:
    service = sections(unit)["Service"]
    given = dict(service)
    words = shlex.split(given["ExecStart"])
    assert words[0] == EXECUTABLE
    parsed(words)
    for key, value in service:
        if key == "Environment":
            assert value.partition("=")[0] in KNOWN
    assert environment_of(unit) == environment_of(DEPLOY / "heltig.service")
    assert given["EnvironmentFile"] == "-/etc/heltig/environment"
    # What is refused where nobody has to log in must not keep a worker from starting.
    load_settings({**environment_of(unit), "HELTIG_IDENTIFIERS": "masked"})
    hardened = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "UMask": "0077", "User": "heltig"}
    assert hardened.items() <= given.items()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_nothing_against_a_unit(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    copy = tmp_path / "looked-at" / unit.name
    copy.parent.mkdir()
    copy.write_text(unit.read_text("utf-8").replace(EXECUTABLE, "/bin/true"), "utf-8")
    ran = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, check=False)
    assert unit.name not in ran.stderr, ran.stderr


def test_the_container_runs_a_known_command_as_a_user_without_rights() -> None:
    (command,) = re.findall(r"^CMD (\[.*\])$", CONTAINERFILE, re.M)
    parsed(msgspec.json.decode(command.encode()))
    assert re.findall(r"^USER (\S+)$", CONTAINERFILE, re.M) == ["8042:8042"]
    (environment,) = re.findall(r"^ENV (PATH=/opt/heltig.*(?:\\\n.*)*)$", CONTAINERFILE, re.M)
    for variable in re.findall(r"(HELTIG_\w+)=", environment):
        assert variable in KNOWN


def test_the_health_check_asks_what_is_answered() -> None:
    (url,) = re.findall(r"http://127\.0\.0\.1:(\d+/\w+)", CONTAINERFILE)
    port, _, path = url.partition("/")
    assert int(port) == KNOWN["HELTIG_PORT"]
    assert ROUTES[f"GET /{path}"] == "public"


def test_commands_that_the_files_speak_of_are_there() -> None:
    texts = [CONTAINERFILE, *(file.read_text("utf-8") for file in DEPLOY.rglob("*") if file.is_file())]
    spoken = {name for text in texts for name in re.findall(r"\bheltig ([a-z]+)(?: |\n|`|$)", text)}
    assert {name for name in spoken if name in COMMANDS} >= {"keys", "serve", "worker", "listen", "doctor"}
    variables = {name for text in texts for name in re.findall(r"\bHELTIG_[A-Z_]+\b", text)}
    foreign = {"HELTIG_API_KEY", "HELTIG_CONSULT_URL", "HELTIG_CONSULT_ARCHIVE", "HELTIG_DICOM_PUBLISH"}
    assert {
        name for name in variables if name not in KNOWN and not name.startswith("HELTIG_SECRET_")
    } <= foreign | {"HELTIG_"}


DOCS = ROOT / "docs"


def block_with(page: str, words: str) -> str:
    """The block of code of a page that has some words in it."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.M | re.S)
    (found,) = (block for block in blocks if words in block)
    return str(found)


def test_the_backup_unit_runs_as_the_user_of_the_service(tmp_path: Path) -> None:
    unit = tmp_path / "heltig-backup.service"
    unit.write_text(block_with("backup.md", "[Service]"), "utf-8")
    service = dict(sections(unit)["Service"])
    assert service["User"] == "heltig"
    assert service["EnvironmentFile"] == "/etc/heltig/environment"  # systemd reads it as root
    assert environment_of(unit) == environment_of(DEPLOY / "heltig.service")
    shell, option, script = shlex.split(service["ExecStart"].replace("%%", "%"))
    assert (shell, option) == ("/bin/sh", "-c")
    ran = [shlex.split(one) for one in script.split("&&")[1:]]
    assert [words[:2] for words in ran] == [[EXECUTABLE, "backup"], [EXECUTABLE, "restore"]]
    for words in ran:
        parsed([str(unit) if word == "$f" else word for word in words])
    test_systemd_has_nothing_against_a_unit(unit, tmp_path)


@pytest.mark.parametrize("page", ["backup.md", "handbook/upgrade.md"])
def test_a_drill_works_on_the_copy_alone(page: str, tmp_path: Path) -> None:
    """The script for administrators and the commands of a page, word by word, but for their folders."""
    tools, log = tmp_path / "bin", tmp_path / "log"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "service").write_text("HELTIG_HOME=/var/lib/heltig\nHELTIG_DATABASE_URL=theirs\n", "utf-8")
    executable = tools / "executable"
    administrator = block_with("handbook/install.md", "exec setpriv")
    for name, text in {
        "heltig": administrator.replace(EXECUTABLE, str(executable)).replace(
            "/etc/heltig/environment", str(tmp_path / "service")
        ),
        "executable": f'#!/bin/sh\necho "$HELTIG_HOME $HELTIG_DATABASE_URL|$*" >> {log}\n',
        "setpriv": '#!/bin/sh\nwhile case "$1" in --*) ;; *) false ;; esac; do shift; done\nexec "$@"\n',
        "chown": "#!/bin/sh\n",
    }.items():
        tools.mkdir(exist_ok=True)
        (tools / name).write_text(text, "utf-8")
        (tools / name).chmod(0o755)
    commands = block_with(page, "$(mktemp -d)").replace("/safe/heltig-secrets", str(tmp_path / "secrets"))
    subprocess.run(
        ["/bin/sh", "-ec", f"{commands}\nheltig version"],
        env={"PATH": f"{tools}:/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        check=True,
        timeout=60,
    )
    *drill, after = log.read_text("utf-8").splitlines()
    assert len(drill) >= 4
    for line in drill:
        assert line.startswith(f"{tmp_path}/")
        assert " |" in line  # no database of the service
    assert after.startswith("/var/lib/heltig theirs|")
