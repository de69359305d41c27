"""Text that every database takes, whatever was sent."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from heltig.store.engine import Store
from heltig.store.records import KEY_LENGTH
from heltig.store.tables import job_groups
from heltig.store.text import from_json, storable, storable_key, to_json
from heltig.store.transaction import WriteTransaction

ANYTHING = st.text(st.characters(categories=None))  # type: ignore[arg-type]  # surrogates too


@pytest.mark.parametrize("text", ["", "plain", "Zürich", "日本", "😀", "tab\tline\n", "\x01"])
def test_text_that_can_be_stored_stays(text: str) -> None:
    assert storable(text) == text


@pytest.mark.parametrize(
    ("text", "stored"),
    [("a\0b", "a\ufffdb"), ("\ud83d", "\ufffd"), ("\udc00x", "\ufffdx"), ("\ud83d\ude00", "😀")],
)
def test_what_no_database_takes_is_replaced(text: str, stored: str) -> None:
    assert storable(text) == stored


@given(ANYTHING, st.integers(0, 20))
def test_storable_text_is_stable_and_fits(text: str, limit: int) -> None:
    stored = storable(text, limit)
    assert len(stored) <= limit
    assert storable(stored, limit) == stored
    assert from_json(to_json([stored]), list[str]) == [stored]


@given(
    st.recursive(ANYTHING | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner))
)
def test_json_can_be_made_of_any_text(value: object) -> None:
    text = to_json(value)
    assert storable(text) == text
    assert to_json(from_json(text, object)) == text


@given(ANYTHING)
def test_keys_fit_and_are_stable(text: str) -> None:
    key = storable_key(text)
    assert len(key) <= KEY_LENGTH
    assert storable_key(key) == key
    assert key == text or "~" in key


def test_different_keys_stay_different() -> None:
    keys = ["1" * 127, "1" * 128, "1" * 129, "1" * 300, "1\0", "1\ufffd", "\ud800", "\ud801", "1\n", "1"]
    assert len({storable_key(key) for key in keys}) == len(keys)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANYTHING)
async def test_the_database_gives_back_what_it_took(store: Store, text: str) -> None:
    def there_and_back(transaction: WriteTransaction) -> str:
        key = storable_key(text)
        transaction.connection.execute(insert(job_groups).values(name=key, served=0))
        found = transaction.connection.execute(select(job_groups.c.name).where(job_groups.c.name == key))
        transaction.connection.execute(job_groups.delete())
        return str(found.scalar_one())

    assert await store.write(there_and_back) == storable_key(text)
