"""SQLite is used on one host, with one HELTIG_HOME."""

import os
from pathlib import Path

import msgspec
import pytest

from heltig.errors import ConfigurationError, StorageError
from heltig.store.one_host import SILENCE, Host, OneHost


@pytest.fixture
def here(tmp_path: Path) -> Host:
    return Host.here(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "heltig.db"


def mark(database: Path) -> Path:
    return database.with_name("heltig.db.host")


def other(host: Host, **values: object) -> Host:
    return msgspec.structs.replace(host, **values)


def test_processes_of_one_host_share_a_database(database: Path, here: Host) -> None:
    OneHost(database, here).take()
    OneHost(database, here).take()


def test_another_host_is_refused_and_told_what_to_do(database: Path, here: Host) -> None:
    OneHost(database, here).take()
    with pytest.raises(ConfigurationError, match=rf"in use on {here.name}.*PostgreSQL: HELTIG_DATABASE_URL"):
        OneHost(database, other(here, kernel="another", name="elsewhere")).take()


def test_a_host_that_is_silent_has_left(database: Path, here: Host) -> None:
    elsewhere = OneHost(database, other(here, kernel="another", name="elsewhere"))
    OneHost(database, here).take()
    left = mark(database).stat().st_mtime - SILENCE.total_seconds() - 1
    os.utime(mark(database), (left, left))
    elsewhere.take()
    with pytest.raises(ConfigurationError, match="in use on elsewhere"):
        OneHost(database, here).take()


def test_a_host_that_says_so_has_not_left(database: Path, here: Host) -> None:
    first = OneHost(database, here)
    first.take()
    left = mark(database).stat().st_mtime - SILENCE.total_seconds() - 1
    os.utime(mark(database), (left, left))
    first.keep()
    with pytest.raises(ConfigurationError):
        OneHost(database, other(here, kernel="another", name="elsewhere")).take()


def test_a_host_that_was_started_again_is_the_same(database: Path, here: Host) -> None:
    OneHost(database, other(here, kernel="of the last boot")).take()
    OneHost(database, here).take()


def test_a_container_on_the_host_may_share_its_folder_under_another_path(database: Path, here: Host) -> None:
    OneHost(database, here).take()
    OneHost(database, other(here, name="0123456789ab", home="/data")).take()


def test_another_home_is_refused(database: Path, here: Host, tmp_path: Path) -> None:
    OneHost(database, here).take()
    (tmp_path / "other").mkdir()
    with pytest.raises(ConfigurationError, match="HELTIG_HOME"):
        OneHost(database, Host.here(tmp_path / "other")).take()


def test_a_mark_that_cannot_be_read_is_written_again(database: Path, here: Host) -> None:
    mark(database).write_text("{")
    OneHost(database, here).take()
    assert msgspec.json.decode(mark(database).read_bytes(), type=Host) == here


def test_postgresql_is_for_any_number_of_hosts(tmp_path: Path) -> None:
    assert OneHost.of("postgresql+asyncpg://u@h/d", home=tmp_path) is None
    assert OneHost.of(f"sqlite+aiosqlite:///{tmp_path}/heltig.db", home=tmp_path) is not None


def test_where_nothing_can_be_written_is_said_in_a_line(tmp_path: Path, here: Host) -> None:
    with pytest.raises(StorageError, match=r"heltig\.db\.host cannot be written: No such file") as raised:
        OneHost(tmp_path / "missing" / "heltig.db", here).take()
    assert "\n" not in str(raised.value)
