"""What can be asked for through a gate, and what cannot, however it is written."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.gate.pass_through_resource import is_query, resource_of

SERIES = "studies/1.2/series/1.3"
INSTANCE = f"{SERIES}/instances/1.4"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("studies", "search"),
        ("series", "search"),
        ("instances", "search"),
        ("studies/1.2/series", "search"),
        ("studies/1.2/instances", "search"),
        (f"{SERIES}/instances", "search"),
        ("studies/1.2/metadata", "metadata"),
        (f"{SERIES}/metadata", "metadata"),
        (f"{INSTANCE}/metadata", "metadata"),
        ("studies/1.2", "retrieve"),
        (SERIES, "retrieve"),
        (INSTANCE, "retrieve"),
        (f"{INSTANCE}/frames/1,2,3", "retrieve"),
        (f"{INSTANCE}/frames/1/rendered", "retrieve"),
        (f"{INSTANCE}/bulk/7fe00010", "retrieve"),
        ("studies/1.2/bulkdata/ab/cd.mht", "retrieve"),
        ("studies/1.2/rendered", "retrieve"),
        (f"{SERIES}/thumbnail", "retrieve"),
        ("studies/1.2/pixeldata", "retrieve"),
    ],
)
def test_resources_of_the_standard(path: str, kind: str) -> None:
    resource = resource_of(path)
    assert resource is not None
    assert (resource.kind, resource.path) == (kind, path)
    assert resource.study == ("1.2" if "/" in path else None)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "servers",
        "changes",
        "patients",
        "studies/",
        "/studies",
        "studies//1.2",
        "studies/.",
        "studies/..",
        "studies/../../system",
        "studies/1.2/../../../system",
        "studies/%2e%2e/%2e%2e/system",
        "studies/%2E%2E%2Fsystem",
        "studies/%252e%252e",
        "studies/..;a=b/system",
        "studies/..%3b/system",
        "studies/. .",
        "studies/%20",
        "studies/1.2%2f..%2f..%2fsystem",
        "studies/1.2\\..\\system",
        "studies/1.2%5c..",
        "studies/1.2%00",
        "studies/1.2%0d%0aHost:%20evil",
        "studies/1.2%3fx=1",
        "studies/1.2%23",
        "studies/\u00e9",
        "studies/%c3%a9",
        "studies/" + "1" * 129,
        "studies/1.2/servers",
        "studies/1.2/series/1.3/anything",
        f"{INSTANCE}/bulk/../../../../../../system",
        f"{INSTANCE}/bulk/%2e%2e/x",
        f"{INSTANCE}/" + "a/" * 1200,
        "series/1.3",
        "instances/1.4/metadata",
        "bulkdata/x",
        "http://evil.example/studies",
        "//evil.example/studies",
    ],
)
def test_everything_else_is_none(path: str) -> None:
    assert resource_of(path) is None


@given(
    st.text(max_size=80)
    | st.text("/.%25\\;:@studie0123efEF", max_size=60).map("studies/1/bulkdata/{}".format)
)
def test_whatever_is_asked_stays_below_the_root_and_is_the_same_asked_again(path: str) -> None:
    resource = resource_of(path)
    if resource is None:
        return
    segments = resource.path.split("/")
    assert segments[0] in ("studies", "series", "instances")
    for segment in segments:
        meant = unquote(segment)
        assert meant.strip(" .")
        assert meant.isascii()
        assert meant.isprintable()
        assert not set("/\\%;?#") & set(meant)
    assert resource_of(resource.path) == resource


def test_queries_that_are_sent_byte_for_byte_and_those_that_are_not() -> None:
    for good in ("", "PatientName=D*,E-%20&x='(a)'!$;@:/?~[]|{}^`\\%zz", "limit=-1"):
        assert is_query(good), good
    for bad in ("a b", "a\r\nX: y", 'a"b', "a#b", "<a>", "\u00e9", "\x00", "a" * 8193):
        assert not is_query(bad), bad
