"""Where the check of a shape stands, and how the conditions of PS3.3 find there what they speak of.

A condition of an attribute in an item speaks of attributes of the same item; of those that its macro does not
have it means the nearest data set around that does. Inside functional groups it may mean another macro of the
same frame, which stands in the frame's own groups or in the shared ones (PS3.3 C.7.6.16).
"""

from collections.abc import Container, Iterable
from typing import Final

from heltig.dicom.shapes import EMPTY, Shape, State
from heltig.standard.conditions import FIRST_ITEM, IN_GROUPS, NOT_TOLD, Found
from heltig.standard.iods import Iod

SHARED: Final = "52009229"
PER_FRAME: Final = "52009230"

ABSENT_ATTRIBUTE: Final = Found(False)


class Scope:
    """A data set or an item of a sequence.

    Attributes:
        states: Its attributes.
        values: The values of those that have any that make a difference.
        path: The tags of the sequences it stands in, from the data set down.
        first: It is the first item of its sequence, or one like it.
    """

    def __init__(
        self,
        shape: Shape,
        defined: Container[str],
        parent: "Scope | None",
        path: tuple[str, ...],
        *,
        first: bool = False,
    ) -> None:
        """Enter a data set or an item.

        Args:
            shape: What it has.
            defined: The tags that PS3.3 has there.
            parent: What it stands in; None for a data set.
            path: The sequences it stands in.
            first: It is the first item of its sequence.
        """
        self.first = first
        self.states = shape.states
        self.values = dict(shape.values)
        self.path = path
        self._defined = defined
        self._parent = parent

    def find(self, tag: str) -> Found:
        """What a condition here means by an attribute."""
        if tag in self._defined:
            return self.own(tag)
        if tag == FIRST_ITEM:
            return Found(True) if self.first else NOT_TOLD
        return self._parent.find(tag) if self._parent else NOT_TOLD

    def own(self, tag: str) -> Found:
        """An attribute of this data set or item itself."""
        state = self.states.get(tag)
        if state is None:
            return ABSENT_ATTRIBUTE
        return Found(True, state == EMPTY, self.values.get(tag, ()))


class DataSetScope(Scope):
    """A whole data set, with its functional groups.

    Attributes:
        shared: The shared functional groups, if there are any.
        frames: The distinct functional groups of frames.
    """

    def __init__(self, shape: Shape, iod: Iod) -> None:
        super().__init__(shape, iod.modules_of, None, ())
        self.iod = iod
        self.shared = next(iter(items_of(self.states.get(SHARED))), None)
        self.frames = tuple(dict.fromkeys(items_of(self.states.get(PER_FRAME))))

    def find(self, tag: str) -> Found:
        """An attribute of the data set, else what all functional groups say alike."""
        if tag.startswith(IN_GROUPS):
            tag = tag.removeprefix(IN_GROUPS)
        elif tag in self._defined:
            return self.own(tag)
        return self.in_groups(tag, (self.shared,)) or self.in_groups(tag, self.frames) or self._nowhere(tag)

    def in_groups(self, tag: str, groups: Iterable[Shape | None]) -> Found | None:
        """What groups say of an attribute: None where none has it, nothing known where they differ."""
        found = {self._in_group(tag, group) for group in groups if group is not None}
        if found <= {None}:
            return None
        return found.pop() if len(found) == 1 else NOT_TOLD

    def _in_group(self, tag: str, group: Shape) -> Found | None:
        """What one frame's groups, or the shared ones, say; None where the macro is not there."""
        states = group.states
        if tag in self.iod.macros_of:
            state = states.get(tag)
            return None if state is None else Found(True, state == EMPTY)
        for sequence in self.iod.in_macros.get(tag, ()):
            for item in items_of(states.get(sequence))[:1]:
                state = item.states.get(tag)
                if state is None:
                    return ABSENT_ATTRIBUTE
                return Found(True, state == EMPTY, dict(item.values).get(tag, ()))
        return None

    def _nowhere(self, tag: str) -> Found:
        in_iod = tag in self.iod.macros_of or tag in self.iod.in_macros
        return ABSENT_ATTRIBUTE if in_iod else NOT_TOLD


class GroupScope(Scope):
    """The functional groups of one frame, or the shared ones."""

    def __init__(self, shape: Shape, data_set: DataSetScope, place: str) -> None:
        super().__init__(shape, (), data_set, (place,))
        self._shape = shape
        self._data_set = data_set
        self._others = (data_set.shared,) if place == PER_FRAME else data_set.frames

    def find(self, tag: str) -> Found:
        """An attribute of this frame's functional groups, else of the others, else of the data set."""
        here = self._data_set.in_groups(tag, (self._shape,)) or self._data_set.in_groups(tag, self._others)
        return here or self._data_set.find(tag)


def items_of(state: "State | None") -> tuple[Shape, ...]:
    """The items of a sequence; none where it is absent or has none."""
    return state if isinstance(state, tuple) else ()
