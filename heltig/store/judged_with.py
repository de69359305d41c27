"""Rulesets and profiles that judged something, so that an old verdict explains itself after an upgrade."""

from sqlalchemy import bindparam, select

from heltig.errors import NotFoundError
from heltig.store.packing import compress, decompress
from heltig.store.records import ProfileInfo, RulesetInfo
from heltig.store.tables import profiles, rulesets
from heltig.store.text import TEXT_LENGTH, storable
from heltig.store.transaction import ReadTransaction, WriteTransaction

_NAMES = (
    select(rulesets.c.version, rulesets.c.standard, profiles.c.name)
    .join_from(rulesets, profiles, profiles.c.hash == bindparam("profile"))
    .where(rulesets.c.hash == bindparam("ruleset"))
)


def put_ruleset(transaction: WriteTransaction, ruleset: RulesetInfo) -> bool:
    """Keeps a ruleset; a verdict is only taken when its ruleset is kept. Says whether it is a new one."""
    if ("ruleset", ruleset.hash) in transaction.memory:
        return False
    row = {
        "hash": ruleset.hash,
        "version": ruleset.version,
        "standard": ruleset.standard,
        "manifest": compress(ruleset.manifest),
    }
    is_new = transaction.insert_or_ignore(rulesets, row)
    transaction.learn(("ruleset", ruleset.hash), True)
    return is_new


def put_profile(transaction: WriteTransaction, profile: ProfileInfo) -> bool:
    """Keeps a profile; a verdict is only taken when its profile is kept. Says whether it is a new one."""
    if ("profile", profile.hash) in transaction.memory:
        return False
    row = {"hash": profile.hash, "name": storable(profile.name, TEXT_LENGTH), "text": compress(profile.text)}
    is_new = transaction.insert_or_ignore(profiles, row)
    transaction.learn(("profile", profile.hash), True)
    return is_new


def names_of(transaction: WriteTransaction, *, ruleset: str, profile: str) -> tuple[RulesetInfo, ProfileInfo]:
    """What a verdict says of its ruleset and profile.

    Raises:
        NotFoundError: One of them is not in the store.
    """
    known: tuple[RulesetInfo, ProfileInfo] | None = transaction.memory.get(("names", ruleset, profile))
    if known is not None:
        return known
    row = transaction.first(_NAMES, {"ruleset": ruleset, "profile": profile})
    if row is None:
        raise NotFoundError("A verdict's ruleset and profile have to be in the store before it.")
    names = (
        RulesetInfo(hash=ruleset, version=row.version, standard=row.standard),
        ProfileInfo(hash=profile, name=row.name),
    )
    transaction.learn(("names", ruleset, profile), names)
    return names


def ruleset(transaction: ReadTransaction, hash: str) -> RulesetInfo | None:
    """A ruleset by its hash."""
    row = transaction.connection.execute(select(rulesets).where(rulesets.c.hash == hash)).one_or_none()
    if row is None:
        return None
    return RulesetInfo(
        hash=row.hash, version=row.version, standard=row.standard, manifest=decompress(row.manifest)
    )


def profile(transaction: ReadTransaction, hash: str) -> ProfileInfo | None:
    """A profile by its hash."""
    row = transaction.connection.execute(select(profiles).where(profiles.c.hash == hash)).one_or_none()
    return None if row is None else ProfileInfo(hash=row.hash, name=row.name, text=decompress(row.text))
