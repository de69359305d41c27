"""Whether two principals may be one person: who consents to what they asked for themselves decides alone."""

from typing import Final

from heltig.store import keys
from heltig.store.transaction import ReadTransaction

COMMAND: Final = "cli:"
"""What the names of those begin with who work by command line: nobody there says who they are."""

_KEY: Final = "key:"
_PEOPLE: Final = ("user:", "token:", COMMAND)
_DEEPEST: Final = 32


def may_be_one(transaction: ReadTransaction, one: str, other: str) -> bool:
    """Whether one person may stand behind two principals.

    A login, an access token and a login on the host of one name are one person. Whoever makes a key has it:
    they are the same as who shows it, and two keys that somebody made are one person's. Of keys made on the
    host that is not so, since whoever administers it makes those of all others.

    Args:
        transaction: Any.
        one: A principal's name, as the audit trail has it.
        other: Another's.
    """
    ones, others = _behind(transaction, one), _behind(transaction, other)
    if _person(one) in map(_person, others) or _person(other) in map(_person, ones):
        return True
    shared = set(map(_person, ones)) & {_person(name) for name in others if not name.startswith(COMMAND)}
    return bool(shared)


def _behind(transaction: ReadTransaction, name: str) -> list[str]:
    """A principal, who made their key, who made the key of those, and so on."""
    found = [name]
    while found[-1].startswith(_KEY) and len(found) < _DEEPEST:
        maker = keys.maker_of(transaction, found[-1].removeprefix(_KEY))
        if not maker or maker in found:
            break
        found.append(maker)
    return found


def _person(name: str) -> str:
    prefix = next((prefix for prefix in _PEOPLE if name.startswith(prefix)), "")
    return f"person:{name.removeprefix(prefix).casefold()}" if prefix else name
