"""Which claim of a token gives which role, as the settings say."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from heltig.auth.principal import ROLES, Role, known_role
from heltig.errors import ConfigurationError

_LISTS_IN_TEXT: Final = frozenset({"scope", "scp"})
"""Claims that are lists in one text, with spaces between (RFC 8693 4.2)."""


class RoleMapping:
    """Roles by the values of one claim. What the settings do not name gives nothing."""

    def __init__(self, claim: str, mapping: Iterable[str]) -> None:
        """Reads the settings.

        Args:
            claim: The claim, such as `roles`; with dots the way to it, such as `realm_access.roles`.
            mapping: `VALUE=ROLE`, several for one value where it gives several roles.

        Raises:
            ConfigurationError: One of them is none, or names a role that there is not.
        """
        self.claim = claim
        self._roles: dict[str, set[Role]] = {}
        for entry in mapping:
            value, sign, name = (part.strip() for part in entry.rpartition("="))
            role = known_role(name)
            if not sign or not value or role is None:
                raise ConfigurationError(
                    f"HELTIG_OIDC_ROLES: {entry}: expected VALUE=ROLE, with one of {', '.join(ROLES)}."
                )
            self._roles.setdefault(value, set()).add(role)

    def granted(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """Those values of the claim that give a role, sorted."""
        found = _at(claims, self.claim)
        if isinstance(found, str):
            found = found.split() if self.claim in _LISTS_IN_TEXT else [found]
        if not isinstance(found, list):
            return ()
        return tuple(sorted({value for value in found if isinstance(value, str) and value in self._roles}))

    def roles(self, granted: Iterable[str]) -> frozenset[Role]:
        """The roles that values give."""
        return frozenset(role for value in granted for role in self._roles.get(value, ()))


def _at(claims: Mapping[str, Any], path: str) -> object:
    """What lies at a path; the names on it may have dots themselves, such as `https://example/roles`."""
    if path in claims:
        return claims[path]
    for end, letter in enumerate(path):
        inner = claims.get(path[:end]) if letter == "." else None
        if isinstance(inner, Mapping):
            found = _at(inner, path[end + 1 :])
            if found is not None:
                return found
    return None
