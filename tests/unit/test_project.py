"""The project's own files: what is promised in one of them holds in the others."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import heltig

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_module_has_its_layer(pyproject: dict[str, Any]) -> None:
    layers = next(item for item in pyproject["tool"]["importlinter"]["contracts"] if item["type"] == "layers")
    named = {name.strip(" ()") for layer in layers["layers"] for name in re.split("[:|]", layer)}
    modules = {
        f"heltig.{path.stem}"
        for path in (ROOT / "heltig").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert modules - named == {"heltig.__init__", "heltig.__main__"}


def test_the_lock_file_names_only_the_public_index() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    packages = [package for package in lock["package"] if package["name"] != "heltig"]
    assert {package["source"]["registry"] for package in packages} == {"https://pypi.org/simple"}
    files = [file for package in packages for file in [*package.get("wheels", []), package.get("sdist", {})]]
    hosts = {file["url"].split("/")[2] for file in files if file}
    assert hosts == {"files.pythonhosted.org"}


def test_whatever_is_left_aside_of_the_rules_of_security_says_why() -> None:
    sources = [path for part in ("heltig", "connectors") for path in (ROOT / part).rglob("*.py")]
    lines = [line for path in sources for line in path.read_text(encoding="utf-8").splitlines()]
    aside = [line for line in lines if re.search(r"# noqa: .*\bS\d{3}|# nosec|# ruff: noqa", line)]
    assert aside
    assert [line for line in aside if not re.search(r"# noqa: [A-Z0-9, ]+ - \w", line)] == []


def test_the_change_log_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+),", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == heltig.__version__


def test_pages_made_from_code_are_up_to_date() -> None:
    check = [sys.executable, str(ROOT / "docs/build.py"), "--check"]
    made = subprocess.run(check, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr


def test_the_readme_has_the_two_lines_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^<!-- ci:(\w+) -->\n```sh\n(.+)\n```\n<!-- ci:end -->$", readme, re.MULTILINE))
    assert blocks.keys() == {"demo", "tests"}
    assert blocks["demo"].endswith("heltig demo")
    assert blocks["tests"].endswith("pytest")


def test_the_licence_is_whole() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_a_skip_for_what_is_missing_fails_on_ci(tmp_path: Path) -> None:
    (tmp_path / "test_skips.py").write_text(
        "import pytest\n"
        "@pytest.mark.skip(reason='needs a server')\ndef test_by_mark(): ...\n"
        "def test_by_call(): pytest.skip('needs a browser')\n"
        "def test_for_another_reason(): pytest.skip('only on Windows')\n"
    )
    environ = {**os.environ, "HELTIG_CI": "1", "PYTHONPATH": str(ROOT / "tests")}
    arguments = ["-p", "conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", os.devnull, *arguments],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 skipped, 1 error" in run.stdout, run.stdout + run.stderr


def test_the_container_is_built_with_all_that_the_package_holds():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    copied = (ROOT / "Containerfile").read_text("utf-8")
    for path in [*build["packages"], *build["force-include"]]:
        assert f"COPY {path} {path}\n" in copied
