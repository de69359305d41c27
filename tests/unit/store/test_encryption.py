"""What is encrypted is bound to its key and its place, and can be read by nobody else."""

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.errors import ConfigurationError, StorageError, UsageError
from heltig.store.encryption import PLAIN, Cipher, Identity, key_of
from heltig.store.encryption_keys import EncryptionKeys

IDENTITIES = st.lists(st.text() | st.integers(0, 2**63) | st.binary(), max_size=4).map(tuple)
ONE, TWO = (f"{number:02x}" * 32 for number in (1, 2))


def cipher(*keys: str) -> EncryptionKeys:
    return EncryptionKeys("env:HELTIG_SECRET_KEYS", {"HELTIG_SECRET_KEYS": ",".join(keys)})


first, second = cipher(ONE), cipher(TWO)


@given(st.text(), IDENTITIES, st.binary())
def test_it_is_read_as_it_was_given(kind: str, identity: Identity, content: bytes) -> None:
    stored = first.encrypt(kind, identity, content)
    assert first.decrypt(kind, identity, stored) == content
    assert cipher(TWO, ONE).decrypt(kind, identity, stored) == content
    assert key_of(stored) == first.keys().writes.id  # type: ignore[union-attr]
    assert first.encrypt(kind, identity, content) != stored
    if len(content) > 8:
        assert content not in stored


@given(st.text(), st.text(), IDENTITIES, IDENTITIES, st.binary())
def test_what_is_stored_elsewhere_is_not_read(
    kind: str, other_kind: str, identity: Identity, other: Identity, content: bytes
) -> None:
    stored = first.encrypt(kind, identity, content)
    if (kind, identity) == (other_kind, other):
        return
    with pytest.raises(StorageError, match="put into the place of another"):
        first.decrypt(other_kind, other, stored)


@given(st.binary(), st.data())
def test_one_wrong_bit_is_seen(content: bytes, data: st.DataObject) -> None:
    stored = bytearray(first.encrypt("contents", ("a",), content))
    place = data.draw(st.integers(8, len(stored) - 1))
    stored[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(StorageError, match=r"table contents is damaged.*Restore a backup"):
        first.decrypt("contents", ("a",), bytes(stored))
    with pytest.raises(StorageError, match="damaged"):
        first.decrypt("contents", ("a",), bytes(stored[: data.draw(st.integers(8, len(stored) - 1))]))


@pytest.mark.parametrize("reader", [PLAIN, second, Cipher()])
def test_without_its_key_the_error_says_where_it_belongs(reader: Cipher) -> None:
    stored = first.encrypt("contents", ("a",), b"Doe^Jane")
    with pytest.raises(
        StorageError, match=r"HELTIG_ENCRYPTION_KEY.*Put that key behind the first one"
    ) as caught:
        reader.decrypt("contents", ("a",), stored)
    assert key_of(stored) in caught.value.detail
    assert "Doe" not in caught.value.detail


def test_what_is_plain_is_read_with_and_without_keys() -> None:
    assert PLAIN.encrypt("contents", ("a",), b"x") == b"x"
    assert PLAIN.decrypt("contents", ("a",), b"x") == first.decrypt("contents", ("a",), b"x") == b"x"
    writes_plain = cipher("plain", ONE)
    assert writes_plain.encrypt("contents", ("a",), b"x") == b"x"
    assert writes_plain.decrypt("contents", ("a",), first.encrypt("contents", ("a",), b"y")) == b"y"


@given(st.text(min_size=1), st.text(min_size=1))
def test_equal_texts_have_equal_digests_of_a_key_and_others_have_not(one: str, other: str) -> None:
    both = cipher(TWO, ONE)
    assert first.digest(one) in both.digests(one)
    assert (first.digest(one) == first.digest(other)) == (one == other)
    assert len({one, *(key.digest(one) for key in (first, second))}) == 3
    assert (PLAIN.digest(one), first.digest("")) == (one, "")


@pytest.mark.parametrize(
    "text", ["", "abc", ONE[:-1], "0A" * 32, f"{ONE},", f"{ONE},plain", "plain,x", "é" * 64]
)
def test_what_is_no_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match="HELTIG_ENCRYPTION_KEY") as caught:
        cipher(text)
    assert not text or text not in caught.value.detail


@pytest.mark.parametrize("reference", ["env:HELTIG_SECRET_NONE", "file:/nowhere/key", ONE])
def test_keys_that_are_not_there(reference: str) -> None:
    with pytest.raises(ConfigurationError, match="HELTIG_ENCRYPTION_KEY") as caught:
        EncryptionKeys(reference, {})
    assert ONE not in caught.value.detail


def test_a_key_that_another_process_put_into_the_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{ONE}\n")
    here, there = (EncryptionKeys(f"file:{file}") for _ in range(2))
    made = there.add()
    assert file.read_text().split(",")[1] == f"{ONE}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    stored = there.encrypt("contents", ("a",), b"x")
    assert key_of(stored) == made
    assert here.decrypt("contents", ("a",), stored) == b"x"
    assert key_of(here.encrypt("contents", ("a",), b"x")) == made


def test_keys_that_several_put_into_the_file_at_once_are_all_there(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{ONE}\n")
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: EncryptionKeys(f"file:{file}").add(), range(8)))
    assert (len(made), file.read_text().count(",")) == (8, 8)


def test_a_key_in_the_environment_is_not_added_to() -> None:
    with pytest.raises(UsageError, match="openssl rand -hex 32"):
        first.add()


def test_a_file_that_is_spoilt_while_it_is_in_use_does_not_stop_who_has_read_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(ONE)
    keys = EncryptionKeys(f"file:{file}")
    stored = keys.encrypt("contents", ("a",), b"x")
    file.write_text("not a key")
    os.utime(file, ns=(1, 1))
    assert keys.decrypt("contents", ("a",), stored) == b"x"
    with pytest.raises(StorageError, match="not the keys"):
        keys.decrypt("contents", ("a",), cipher(secrets.token_hex(32)).encrypt("contents", ("a",), b"x"))
