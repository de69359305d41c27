"""How the studies stand that lie behind a gate, for those who search and retrieve through it."""

from collections.abc import Callable, Sequence
from typing import Final

from heltig.api.standing import dataset_of, standing
from heltig.store import lookups
from heltig.store.engine import Store
from heltig.store.lookups import Lookup, Lookups

UNKNOWN: Final = "UNKNOWN"
"""The state of a study that was never seen."""


class Verdicts:
    """How an archive's studies stand: by what was pulled from it, and by what went through its gate."""

    def __init__(self, archive: str, store: Store, known: Lookups, *, minute: Callable[[], str]) -> None:
        """Makes it.

        Args:
            archive: Its name.
            store: Where verdicts are.
            known: Answers about one study at a time.
            minute: The present one.
        """
        self._locations = (f"archive:{archive}", f"gate:{archive}")
        self._store = store
        self._known = known
        self._minute = minute

    async def of(self, study: str) -> tuple[str, bool]:
        """How a study stands, in a word, and whether its last verdict was BLOCKED.

        A study that waits to be judged again stays what it was: else whoever adds an instance to a BLOCKED
        study would open it.

        Args:
            study: Its StudyInstanceUID.
        """
        found = self._here(await self._known.find(study))
        is_blocked = any(one.readiness == "BLOCKED" and one.state != "WITHDRAWN" for one in found)
        return standing(found, minute=self._minute()).status if found else UNKNOWN, is_blocked

    async def of_many(self, studies: Sequence[str]) -> dict[str, bytes]:
        """The data sets about some studies, in DICOM JSON; those are left out of which nothing is known."""
        found = await self._store.read(lookups.find_many, studies)
        minute = self._minute()
        here = {study: self._here(each) for study, each in found.items()}
        return {study: dataset_of(each, minute=minute) for study, each in here.items() if each}

    def _here(self, found: Sequence[Lookup]) -> list[Lookup]:
        return [lookup for lookup in found if lookup.location in self._locations]
