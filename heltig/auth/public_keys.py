"""The public keys of a provider (RFC 7517), of which one is picked for a token by its header."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:  # it takes long to import, and most services need it not at all
    from joserfc.jwk import ECKey, RSAKey

    PublicKey: TypeAlias = ECKey | RSAKey
else:
    PublicKey = Any

LEAST_RSA_BITS: Final = 2048
"""RFC 7518 3.3."""

_LEAST_MODULUS: Final = -(-LEAST_RSA_BITS // 6)
"""Base64url characters of such a modulus."""

MOST_KEYS: Final = 100

_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def public_keys(key_set: Mapping[str, Any]) -> tuple[PublicKey, ...]:
    """Those keys of a JWK Set that signatures can be checked with.

    Left out are keys of other kinds (for encryption, or shared secrets) and those that cannot be read.
    """
    listed = key_set.get("keys")
    if not isinstance(listed, list):
        return ()
    return tuple(
        key for one in listed[:MOST_KEYS] if isinstance(one, dict) and (key := _key(one)) is not None
    )


def fitting_key(keys: Iterable[PublicKey], kid: str | None, algorithm: str) -> PublicKey | None:
    """The only key that a token can be signed with; None where there is none, or where it could be several.

    Args:
        keys: Those of the provider.
        kid: The key's id in the token's header; None where the token does not say.
        algorithm: The algorithm there.
    """
    found = [key for key in keys if kid in (None, key.kid) and _signs(key, algorithm)]
    return found[0] if len(found) == 1 else None


def usable_algorithms(keys: Iterable[PublicKey], algorithms: Iterable[str]) -> tuple[str, ...]:
    """Those of some algorithms that a token could be signed by with one of these keys."""
    known = tuple(keys)
    return tuple(name for name in algorithms if any(_signs(key, name) for key in known))


def _key(one: dict[str, Any]) -> PublicKey | None:
    from joserfc.errors import JoseError  # here: only sites with a provider need it
    from joserfc.jwk import ECKey, RSAKey

    kinds: dict[str, type[RSAKey] | type[ECKey]] = {"RSA": RSAKey, "EC": ECKey}
    kind = kinds.get(str(one.get("kty")))
    if kind is None or one.get("use", "sig") != "sig":
        return None
    if (
        kind is RSAKey and len(str(one.get("n", ""))) < _LEAST_MODULUS
    ):  # else the library warns of it each time
        return None
    try:
        key: PublicKey = kind.import_key(one)
        if isinstance(key, RSAKey) and key.public_key.key_size < LEAST_RSA_BITS:
            return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key


def _signs(key: PublicKey, algorithm: str) -> bool:
    if key.get("alg") not in (None, algorithm):
        return False
    if key.key_type == "EC":
        return _CURVES.get(algorithm) == key.get("crv")
    return algorithm.startswith(("RS", "PS"))
