"""What every test gets: an environment without settings, the corpus of real files, real servers."""

import gc
import os
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from servers.orthanc import Orthanc, OrthancNotInstalledError, running_orthanc
from servers.postgresql import PostgreSQL, PostgreSQLNotInstalledError, running_postgresql
from servers.redis import Redis, RedisNotInstalledError, debian_redis, running_redis, valkey

# On CI every server is installed: a test that skips because one is missing fails there.
EVERYTHING_IS_INSTALLED = bool(os.environ.get("HELTIG_CI"))


# A deadline for each example measures how busy the machine is, not the code. On CI the same tests are tried
# with the same examples, so that a run can be made again; new ones are tried wherever somebody runs tests.
settings.register_profile("heltig", deadline=None, derandomize=EVERYTHING_IS_INSTALLED)
settings.load_profile("heltig")


def _wipe_settings() -> None:
    """Takes HELTIG_* out of the environment, but for what steers the tests themselves."""
    for name in list(os.environ):
        if name.startswith("HELTIG_") and not name.startswith("HELTIG_TEST_"):
            del os.environ[name]


def pytest_configure() -> None:
    _wipe_settings()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test has an id of its own: of those that share one, pytest-xdist runs the first and no other."""
    shared = [name for name, tests in Counter(item.nodeid for item in items).items() if tests > 1]
    if shared:
        raise pytest.UsageError(f"several tests are called {', '.join(shared)}")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is collected stays: to look for garbage meanwhile takes a fifth of the time."""
    gc.disable()
    try:
        _import_some_first(session)
        return (yield)
    finally:
        gc.enable()


def _import_some_first(session: pytest.Session) -> None:
    """Has each of several processes begin with other modules than the others.

    pytest rewrites the asserts of a module once and keeps what it came to. Processes that all begin with the
    same module would all rewrite it.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    named = [session.config.invocation_params.dir / given.partition("::")[0] for given in session.config.args]
    modules = [
        file for path in named for file in ([path] if path.is_file() else sorted(path.rglob("test_*.py")))
    ]
    begin = len(modules) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for path in modules[begin:] + modules[:begin]:
        with suppress(Exception, pytest.skip.Exception):  # told when the module is collected
            _ = pytest.Module.from_parent(session, path=path).obj


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was collected stays: to look for garbage among thousands of tests takes a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as the processes of Heltig do


@pytest.fixture(autouse=True)
def _no_settings_from_other_tests() -> None:
    _wipe_settings()


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files: HELTIG_TEST_CORPUS, or a folder that lies beside the repository."""
    named = os.environ.get("HELTIG_TEST_CORPUS")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared/data/dev"
    if not folder.is_dir():
        if named:
            pytest.fail(f"HELTIG_TEST_CORPUS: {folder} is not a folder")
        pytest.skip("the corpus of real files is not here; name its folder in HELTIG_TEST_CORPUS")
    return folder


@pytest.fixture(scope="session")
def _orthanc_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    root = os.environ.get("HELTIG_TEST_ORTHANC")
    if root:
        yield Orthanc(root=root.rstrip("/"))
        return
    try:
        with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
            yield server
    except OrthancNotInstalledError as missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture
def orthanc(_orthanc_server: Orthanc) -> Orthanc:
    """A real Orthanc on loopback, empty. HELTIG_TEST_ORTHANC: the DICOMweb root of one that runs already."""
    _orthanc_server.clear()
    return _orthanc_server


@pytest.fixture(params=["valkey", "debian"])
def redis(request: pytest.FixtureRequest) -> Iterator[Redis]:
    """A real Redis, empty, for this test to empty, stop and start: that of a wheel, and Debian's."""
    program = valkey() if request.param == "valkey" else debian_redis()
    if program is None:
        pytest.skip(f"needs {RedisNotInstalledError()}: {request.param}")
    with running_redis(program) as server:
        yield server


@pytest.fixture(scope="session")
def _postgresql_server() -> Iterator[PostgreSQL]:
    try:
        with running_postgresql() as server:
            yield server
    except PostgreSQLNotInstalledError as missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture
def postgresql(_postgresql_server: PostgreSQL) -> PostgreSQL:
    """A real PostgreSQL, for this test to stop and start."""
    if not _postgresql_server.is_running:
        _postgresql_server.start()
    return _postgresql_server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if EVERYTHING_IS_INSTALLED and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith("needs "):
            report.outcome = "failed"
            report.longrepr = f"skipped on CI, where everything is installed: {reason}"
    return report
