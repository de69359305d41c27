"""Goes along the audit trail, entry by entry, and collects where it is not what was written."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from heltig.audit.accepted import NOTHING_SEALED, SOMETHING_ELSE, Accepted, Damage
from heltig.audit.anchors import Anchor
from heltig.audit.breaks import Break, Breaks
from heltig.audit.keys import AuditKeys
from heltig.store import audit_chain, audit_rows
from heltig.store.audit_chain import FIRST, Head, canonical
from heltig.store.audit_checkpoints import Checkpoint
from heltig.store.audit_rows import Damaged, Found, Row
from heltig.store.transaction import ReadTransaction


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        first: The first entry that ought to be there.
        last: The last that is there; 0 without any.
        entries: How many are there.
        tag: The last one's tag.
        keys: The ids of the keys that sealed them, in order.
        began: How many entries were older than the chain, and got their tags when it began; None where that
            is not there any more.
        checkpoint: What was purged before them.
        strays: Rows that no entry is: their number is none of an entry.
        accepted: The entry by which somebody last took the trail as it was; 0 where nobody did.
        breaks: What is wrong since then, the first first; as many as are told one by one.
        untold: How many more there are.
        before: What was wrong when it was accepted, the first first; as many as are told one by one.
        untold_before: How many more there are.
        damage: What of it an acceptance of the trail, as it is now, has to seal.
    """

    first: int
    last: int
    entries: int
    tag: bytes
    keys: tuple[str, ...]
    began: int | None
    checkpoint: Checkpoint | None
    strays: int
    accepted: int
    breaks: tuple[Break, ...]
    untold: int
    before: tuple[Break, ...]
    untold_before: int
    damage: Accepted

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong, and nothing was."""
        return not self.breaks and not self.before


class Walk:
    """Goes along the trail.

    Attributes:
        checkpoint: Where the trail begins, as the database says; damaged where it cannot.
        at: The number of the row that was read last; for who reads rows in slices.
    """

    def __init__(
        self,
        keys: AuditKeys,
        checkpoint: Checkpoint | Damaged | None,
        anchors: Iterable[Anchor],
        *,
        most: int,
    ) -> None:
        """Makes it.

        Args:
            keys: All that ever sealed the trail.
            checkpoint: Where it begins.
            anchors: Tags that are known from elsewhere.
            most: The most breaks that are told one by one.

        Raises:
            ConfigurationError: The keys cannot be read.
        """
        self.checkpoint = checkpoint
        self.at: Any = 0
        self._keys = keys
        self._order = {key_id: position for position, key_id in enumerate(keys.ids)}  # the newest is 0
        self._anchors: dict[int, set[bytes]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.sequence, set()).add(anchor.tag)
        self._most = most
        self._breaks, self._before, self._strays = Breaks(most), Breaks(most), Breaks(most)
        self._damage = Damage()
        self._accepted = self._stray_rows = self._stray_rows_accepted = 0
        if isinstance(checkpoint, Damaged):
            self._break(0, checkpoint.why)
            checkpoint = None
        self._checkpoint = checkpoint
        self._used: list[str] = []
        self._began: int | None = None
        self._entries = 0
        self._last, self._tag = (checkpoint.through, checkpoint.tag) if checkpoint else (0, FIRST)
        self._first = self._last + 1
        if checkpoint:
            self._look_at_checkpoint(checkpoint)

    def take(self, row: Found) -> None:
        """Looks at a row."""
        if row.sequence < 1 and isinstance(row, Damaged):
            self._stray_rows += 1
            self._strays.add(Break(row.sequence, row.why))
            return
        self._entries += 1
        if row.sequence <= self._last:
            is_purged = self._checkpoint is not None and row.sequence <= self._checkpoint.through
            why = "though a checkpoint says that it was purged" if is_purged else "and it is there already"
            self._break(row.sequence, f"is there, {why}", row)
            return
        if row.sequence > self._last + 1:
            self._break(self._last + 1, f"{_these(self._last + 1, row.sequence - 1)} missing")
        if isinstance(row, Damaged):
            self._break(row.sequence, row.why, row)
            self._last = row.sequence
            return
        why = next(self._wrong(row), "")
        if why:
            self._break(row.sequence, why, row)
        elif row.action == "audit.accept":
            self._accept(row)
        if row.action == "audit.begin":
            if self._began is None:
                self._began = row.sequence - 1
            else:
                self._tell(row.sequence, "begins the chain anew: somebody took away the tags before it")
        self._last, self._tag = row.sequence, row.tag or self._tag
        self._compare(row.sequence, row.tag or b"")

    def end(self, transaction: ReadTransaction) -> None:
        """Looks at what ought to be the last entry."""
        others = audit_rows.count(transaction) - self._entries - self._stray_rows
        if others:
            self._stray_rows += others
            self._strays.add(Break(0, f"rows are there that no entry is, or that are there twice: {others}"))
        try:
            self._end(audit_chain.head(transaction))
        except audit_rows.UNREADABLE:
            self._tell(0, "the head row is damaged, which says how many entries there are")

    def _end(self, head: Head | None) -> None:
        if head is None:
            self._tell(0, "the head row is gone, which says how many entries there are")
        elif head.sequence > self._last:
            self._break(self._last + 1, f"{_these(self._last + 1, head.sequence)} missing at the end")
        elif head.sequence < self._last:
            self._tell(
                head.sequence + 1, "is there, though the head row says that fewer entries were written"
            )
        elif head.tag != self._tag and (self._entries or head.tag):
            self._tell(self._last, "the head row has another tag for it")
        for sequence in sorted(self._anchors):
            if sequence > self._last:
                self._tell(
                    self._last + 1, f"{_these(self._last + 1, sequence)} missing: an anchor knows them"
                )

    def disagree(self, sequence: int, why: str) -> None:
        """Notes that this host knows another trail."""
        self._tell(sequence, why)

    def result(self) -> Verified:
        """What was found."""
        are_known = self._stray_rows <= self._stray_rows_accepted
        (self._before if are_known else self._breaks).join(self._strays)
        return Verified(
            first=self._first,
            last=self._last if self._entries else 0,
            entries=self._entries,
            tag=self._tag,
            keys=tuple(self._used),
            began=self._began,
            checkpoint=self._checkpoint,
            strays=self._stray_rows,
            accepted=self._accepted,
            breaks=tuple(self._breaks.told),
            untold=self._breaks.untold,
            before=tuple(self._before.told),
            untold_before=self._before.untold,
            damage=Accepted(strays=self._stray_rows, breaks=self._damage.count, digest=self._damage.digest),
        )

    def _accept(self, row: Row) -> None:
        """Somebody who has the key took the trail as it was: with this damage, and no other."""
        accepted = Accepted.of(row)
        if self._damage.count and accepted.digest != self._damage.digest:
            self._tell(row.sequence, NOTHING_SEALED if accepted.breaks is None else SOMETHING_ELSE)
            return
        self._accepted = row.sequence
        self._before.join(self._breaks)
        self._breaks = Breaks(self._most)
        self._stray_rows_accepted = accepted.strays

    def _wrong(self, row: Row) -> Iterator[str]:
        """What is wrong with an entry; the first is what is told."""
        if row.tag is None or row.key_id is None:
            yield "has no tag"
            return
        if row.key_id not in self._order:
            yield f"is sealed with the key {row.key_id}, which {self._keys.where} does not hold"
            return
        if self._used and row.key_id != self._used[-1] and not self._is_rotation(row, self._used[-1]):
            yield f"is sealed with the key {row.key_id}, and no newer key was put in force there"
        if self._keys.mac(row.key_id, self._tag + canonical(row.fields)) != row.tag:
            yield "does not have the tag that was made for it: it was changed, or what was before it"
        if row.is_aside:
            yield "stands where a restoration puts what cannot be an entry, and could be one"
        if not self._used or self._used[-1] != row.key_id:
            self._used.append(row.key_id)

    def _is_rotation(self, row: Row, before: str) -> bool:
        """Whether an entry puts a newer key in force: nobody who has an old one can go back to it."""
        return row.action == "audit.rotate-key" and self._order[row.key_id or ""] < self._order[before]

    def _look_at_checkpoint(self, checkpoint: Checkpoint) -> None:
        if checkpoint.key_id not in self._order:
            self._break(checkpoint.through, f"the checkpoint has the key {checkpoint.key_id}, not here")
        elif self._keys.mac(checkpoint.key_id, checkpoint.message) != checkpoint.seal:
            self._break(checkpoint.through, "the checkpoint was changed, which says what was purged")
        self._compare(checkpoint.through, checkpoint.tag)

    def _compare(self, sequence: int, tag: bytes) -> None:
        if self._anchors.get(sequence, {tag}) != {tag}:
            self._tell(sequence, "does not have the tag that an anchor knows: the trail was written anew")

    def _break(self, sequence: int, why: str, row: Found | None = None) -> None:
        """Notes what is wrong with an entry: an acceptance seals it."""
        self._damage.add(sequence, row if isinstance(row, Row) else None)
        self._tell(sequence, why)

    def _tell(self, sequence: int, why: str) -> None:
        """Notes what is wrong beside the entries, or follows from what is: it ends with an acceptance."""
        self._breaks.add(Break(sequence, why))


def _these(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
