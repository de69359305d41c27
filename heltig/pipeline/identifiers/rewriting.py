"""Turns a database that holds identifiers as they are into one that holds hashes of them."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from heltig import audit
from heltig.errors import UsageError
from heltig.pipeline.identifiers.hashing import Hashing
from heltig.pipeline.identifiers.key import insist_on_silence, key_of, see_that_it_is
from heltig.settings import Settings
from heltig.store import identifier_state, rewriting
from heltig.store.engine import Store
from heltig.store.identifier_state import State
from heltig.store.keyed import Keyed
from heltig.store.transaction import WriteTransaction


async def rewrite(
    store: Store,
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    actor: str,
    origin: str,
    progress: Callable[[str, int], None] = lambda what, done: None,
) -> Mapping[str, int]:
    """Turns what is left to be turned; can be broken off and called again.

    Args:
        store: Opened without a look at the form of identifiers.
        settings: They say `hashed`, and where the key is.
        clock: Gives the time, in UTC.
        actor: Who has it done, for the audit trail.
        origin: From where.
        progress: Told what is turned, and how much of it so far.

    Returns:
        How many rows of each table were turned now.

    Raises:
        UsageError: The settings say otherwise.
        ConflictError: The service runs, which would write identifiers as they are meanwhile.
        ConfigurationError: The key is not that of what was turned before, or not here.
        StorageError: The database failed.
    """
    if settings.identifiers != "hashed":
        raise UsageError("Set HELTIG_IDENTIFIERS=hashed first: without it the service would not start after.")
    await store.read(insist_on_silence, clock())
    state = await store.read(identifier_state.find)
    keyed = key_of(settings, makes=state is None)
    if state is None:
        state = await store.write_durably(_begin, keyed, clock(), actor, origin)
    see_that_it_is(keyed, state, settings)
    state = await store.write(rewriting.go_on) or state
    done: Counter[str] = Counter()
    hashing = Hashing(keyed)
    if state.form == "hashed":
        return done
    while turned := await store.write(rewriting.turn, hashing):
        what, count = turned
        done[what] += count
        progress(what, done[what])
    await store.write_durably(_record, keyed, clock(), actor, origin, "end")
    return done


def _begin(transaction: WriteTransaction, keyed: Keyed, at: datetime, actor: str, origin: str) -> State:
    state = rewriting.begin(transaction, keyed)
    _record(transaction, keyed, at, actor, origin, "begin")
    return state


def _record(
    transaction: WriteTransaction, keyed: Keyed, at: datetime, actor: str, origin: str, what: str
) -> None:
    audit.record(
        transaction,
        at=at,
        actor=actor,
        action="identifiers.rewrite",
        subject=f"identifier-key:{keyed.id}",
        outcome="success",
        origin=origin,
        detail={"what": what},
    )
