"""What a probe found, in sentences."""

from connectors.base import Capabilities
from heltig.pipeline.archives.capabilities import described


def test_what_a_probe_found_is_told_in_sentences() -> None:
    found = Capabilities(
        offset=False,
        page_cap=100,
        empty_status=204,
        filters=False,
        wildcard=False,
        percent_decoding=False,
        counts=False,
        metadata="series",
        all_attributes=False,
        compared=2,
        bulk_data_root="http://elsewhere:8042",
        feed="none",
        gzip=False,
        clock_skew=-90.4,
        notes=("It is old.",),
    )
    told = list(described(found))
    assert len(told) == 14
    assert all(line.endswith(".") for line in told)
    assert "Its clock is 90 s behind ours." in told
    assert "Its metadata is a summary (seen in 2 studies)." in told
    assert told[-1] == "It is old."


def test_little_is_said_of_what_is_not_known_or_as_it_should_be() -> None:
    assert list(described(Capabilities())) == []
    good = Capabilities(wildcard=True, percent_decoding=True, gzip=True, clock_skew=59.0, metadata="study")
    assert list(described(good)) == ["Gives metadata a study at a time."]


def test_that_fidelity_is_not_known_is_said() -> None:
    (told,) = described(Capabilities(filters=None, etag=False))
    assert told.startswith("Whether its metadata has every attribute is not known yet")
    emptied = Capabilities(all_attributes=False, compared=1)
    assert list(described(emptied)) == ["Its metadata is a summary (seen in one study)."]
