"""A real nginx on loopback with a configuration of ours."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30
WHAT_IT_NEEDS = "nginx (Debian: nginx-light)"

_AROUND = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


class NginxNotInstalledError(Exception):
    """This machine has no nginx."""

    def __init__(self) -> None:
        super().__init__(WHAT_IT_NEEDS)


@contextmanager
def running_nginx(folder: Path, site: str, replaced: Mapping[str, str], *, port: int) -> Iterator[None]:
    """Runs it until the block ends.

    Args:
        folder: For its configuration and all that it writes.
        site: What stands in its `http` block.
        replaced: What of that is something else here: each has to be in it.
        port: One that it listens on.

    Raises:
        NginxNotInstalledError: It is not here.
    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        raise NginxNotInstalledError
    for old, new in replaced.items():
        assert old in site, old
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(_AROUND.format(folder=folder))
    process = subprocess.Popen(
        [program, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(process, port, folder / "error.log")
        yield
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    process.kill()
    raise AssertionError(f"nginx did not start:\n{log.read_text() if log.exists() else ''}")
