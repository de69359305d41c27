"""Notes which columns of a table are read, so that it is known what an answer depends on."""

from collections.abc import ItemsView, ValuesView

from heltig.dicom.column import Column


class Watched(dict[str, Column]):
    """The columns of a table, which note what somebody asks for.

    Which columns there are is not noted: whoever wants to know what depends on a table knows its attributes.

    Attributes:
        asked: The tags that were asked for, whether the table has such a column or not.
    """

    def __init__(self, columns: dict[str, Column]) -> None:
        super().__init__(columns)
        self.asked: set[str] = set()

    def __getitem__(self, tag: str) -> Column:
        self.asked.add(tag)
        return super().__getitem__(tag)

    def get(self, tag: str, default: Column | None = None) -> Column | None:  # type: ignore[override]
        """The column of a tag; notes it."""
        self.asked.add(tag)
        return super().get(tag, default)

    def values(self) -> ValuesView[Column]:  # type: ignore[override]
        """All columns; notes all."""
        self.asked.update(self)
        return super().values()

    def items(self) -> ItemsView[str, Column]:  # type: ignore[override]
        """All columns with their tags; notes all."""
        self.asked.update(self)
        return super().items()
