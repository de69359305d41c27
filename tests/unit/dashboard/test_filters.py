from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from heltig.dashboard.filters import Filter

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)
queries = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("text", "modality", "manufacturer", "model", "station", "rule"), words),
        "readiness": st.sampled_from(["", "BLOCKED", "READY"]),
        "location": st.sampled_from(["", "upload", "archive:main", "gate:a b"]),
        "age": st.sampled_from(["", "over-7d"]),
        "page": st.integers(0, 10**9 - 1).map(str),
    },
)


@given(queries)
def test_any_address_gives_a_filter_and_its_own_address_the_same(query: dict[str, str]) -> None:
    read = Filter.read(query)
    address = read.address(page=read.page)
    again = Filter.read(dict(parse_qsl(address.removeprefix("?"), encoding="utf-8", errors="surrogatepass")))
    assert again == read
    assert read.query().text == (read.text or None)


def test_changing_a_filter_goes_back_to_the_first_page() -> None:
    read = Filter.read({"text": "a&b", "page": "7"})
    assert read.address(readiness="READY") == "?text=a%26b&readiness=READY"
    assert read.address(page=8) == "?text=a%26b&page=8"
    assert Filter().address() == "./"
    assert Filter.read({"page": "3"}).is_empty
