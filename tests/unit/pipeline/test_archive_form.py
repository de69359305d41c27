"""What somebody writes down of an archive, read, changed and checked."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from heltig.credentials import BearerAuth, ClientCredentials
from heltig.errors import UsageError
from heltig.pipeline.archives.form import ArchiveForm, entry_of, etag_of, form_of, patched, read_form
from heltig.settings import Settings
from heltig.store.archives import ArchiveOptions

MAIN = {"name": "main", "qidoUrl": "http://pacs.example/dicom-web"}


def form(**changes: Any) -> ArchiveForm:
    return read_form({**MAIN, **changes})


def test_an_entry_gives_the_form_that_gave_it() -> None:
    given = form(
        wadoUrl="http://pacs.example/wado",
        feedUrl="http://pacs.example",
        auth={"kind": "bearer", "secret": "env:HELTIG_SECRET_X"},
        options={"hours": ["daily 22:00-05:00"], "strategy": "orthanc"},
    )
    entry = entry_of(given, Settings())
    assert form_of(entry) == given
    assert entry_of(form_of(entry), Settings()) == entry
    assert etag_of(entry) == etag_of(replace(entry, capabilities={"offset": True}))
    assert etag_of(entry) != etag_of(replace(entry, paused=True))


def test_a_change_leaves_alone_what_it_does_not_name() -> None:
    before = form(title="Main", options={"concurrency": 4, "weight": 2})
    after = patched(before, {"options": {"concurrency": None, "priority": -1}})
    assert after.options == ArchiveOptions(weight=2, priority=-1)
    assert after.title == "Main"
    assert patched(after, {"title": None, "options": None}) == form()


def test_other_credentials_replace_those_before() -> None:
    before = form(auth={"kind": "basic", "username": "me", "secret": "env:A"})
    renamed = patched(before, {"auth": {"username": "you"}})
    assert renamed.auth == replace(before.auth, username="you")  # type: ignore[type-var, call-arg]
    other = patched(before, {"auth": {"kind": "bearer", "secret": "env:B"}})
    assert other.auth == BearerAuth(secret="env:B")
    assert patched(before, {"auth": None}) == form()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["options", "auth", "title", "qidoUrl", "name", "else"]),
)
def test_whatever_is_sent_is_read_or_refused(value: Any, field: str) -> None:
    with suppress(UsageError):
        assert "qidoUrl" in msgspec.to_builtins(read_form({**MAIN, field: value}))


def test_files_that_hold_secrets_of_archives_may_be_named_from_afar(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folder = tmp_path / "secrets"
    good = form(auth={"kind": "bearer", "secret": f"file:{folder / 'pacs'}"})
    assert entry_of(good, settings, from_afar=True).auth == good.auth
    for path in (folder / ".." / "heltig.db", tmp_path / "secrets2" / "x", Path("/etc/passwd")):
        bad = form(auth={"kind": "bearer", "secret": f"file:{path}"})
        assert entry_of(bad, settings).auth == bad.auth
        with pytest.raises(UsageError, match=r"auth\.secret"):
            entry_of(bad, settings, from_afar=True)


def test_a_token_endpoint_is_an_address_like_any_other() -> None:
    auth = {"kind": "oauth2", "tokenUrl": "http://169.254.169.254/token", "clientId": "x", "secret": "env:X"}
    given = form(auth=auth)
    assert isinstance(given.auth, ClientCredentials)
    with pytest.raises(UsageError, match=r"auth\.tokenUrl: .*link-local"):
        entry_of(given, Settings())
    assert entry_of(given, Settings(archive_link_local=True)).auth == given.auth
