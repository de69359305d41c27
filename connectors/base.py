"""What Heltig asks of a remote archive, and an archive in memory for tests."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from heltig.dicom.cell import DataSet
from heltig.dicom.json_members import JSON, read_elements
from heltig.errors import ArchiveAnswerTooLargeError, ArchiveNotFoundError, ArchiveUnavailableError

MetadataLevel = Literal["study", "series", "instance", "none"]
FeedKind = Literal["orthanc", "azure", "dcm4chee"]
Instance = Mapping[str, Any]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe found out about an archive. `None` means that it could not be told, e.g. an empty archive.

    Attributes:
        offset: QIDO-RS pages with `offset` (PS3.18 8.3.4.4) differ from one another.
        page_cap: The most rows of one answer, where it is lower than the limit asked for.
        warns: A page after which there are more rows says so (Warning 299).
        empty_status: Status of a search that finds nothing: 200 or 204, or 404 in some archives.
        filters: A filter that matches nothing gives no rows.
        wildcard: `*` at the end of a matching key stands for any text (PS3.4 C.2.2.2.4).
        percent_decoding: What is percent-encoded in a query means the same as what is not (RFC 3986 2.1).
        counts: Study rows carry Number of Study Related Series and Instances (0020,1206) and (0020,1208).
        availability: Study rows carry Instance Availability (0008,0056) where it is asked for.
        metadata: The highest level at which WADO-RS metadata (PS3.18 10.4) is served.
        all_attributes: Metadata has every attribute that the object itself has: it is no summary.
        compared: Studies of which that was seen.
        bulk_data_root: `scheme://host:port` of its bulk data URIs, where that is not its own.
        feed: How it tells of changes.
        feed_root: The root of that.
        gzip: It compresses its answers.
        etag: Its searches carry ETag; `last_modified` likewise.
        clock_skew: Seconds that its clock, as Date shows it, is ahead of ours.
        notes: Anything else worth telling the person who adds the archive.
    """

    offset: bool | None = None
    page_cap: int | None = None
    warns: bool | None = None
    empty_status: int | None = None
    filters: bool | None = None
    wildcard: bool | None = None
    percent_decoding: bool | None = None
    counts: bool | None = None
    availability: bool | None = None
    metadata: MetadataLevel | None = None
    all_attributes: bool | None = None
    compared: int = 0
    bulk_data_root: str | None = None
    feed: FeedKind | Literal["none"] | None = None
    feed_root: str | None = None
    gzip: bool | None = None
    etag: bool | None = None
    last_modified: bool | None = None
    clock_skew: float | None = None
    notes: tuple[str, ...] = ()


class Page(list[bytes]):
    """One page of a search: the JSON text of each row, and what the archive says beside them.

    Attributes:
        has_more: It says that there are more rows (Warning 299, PS3.18 8.3.4.4). False where it says nothing.
        date: The time by the archive's clock when it answered; None where it does not say.
    """

    def __init__(
        self, rows: Iterable[bytes] = (), *, has_more: bool = False, date: datetime | None = None
    ) -> None:
        super().__init__(rows)
        self.has_more = has_more
        self.date = date


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A study that an archive says changed.

    Attributes:
        study: StudyInstanceUID, as the archive writes it.
        mark: Another text whenever the study changed, and the same where it did not; otherwise without sense.
        rows: Its rows in a search for studies, where the feed has them.
        is_gone: The archive says that it does not have the study any more.
    """

    study: str
    mark: str = ""
    rows: tuple[bytes, ...] = ()
    is_gone: bool = False


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some changes of an archive, the oldest first.

    Attributes:
        entries: One a study.
        cursor: Where to read on.
        is_end: There was nothing newer when the archive was asked.
        covered: By the archive's clock, or by ours before it was asked where it sends no Date: everything
            that changed before is in what was read up to `cursor`.
            None where `is_end` is False.
    """

    entries: tuple[FeedEntry, ...]
    cursor: str
    is_end: bool
    covered: datetime | None = None


class ChangeFeed(Protocol):
    """What changed in an archive, told by the archive.

    Every method raises `heltig.errors.ArchiveError`, or one of its kinds.
    """

    async def start(self) -> str:
        """A cursor before everything that changes from now on."""
        ...

    async def read(self, cursor: str, *, limit: int) -> FeedPage:
        """What changed since a cursor.

        Args:
            cursor: From `start`, or from the page before.
            limit: About how many changes to ask for.

        Raises:
            CursorLostError: The archive does not know this cursor any more, e.g. because its database was
                made anew: start again, and list all studies.
        """
        ...


class Archive(Protocol):
    """A remote archive that can be searched and whose metadata can be read.

    UIDs are passed as the archive wrote them, broken ones too: quoting them is the connector's work.
    Every method raises `heltig.errors.ArchiveError`, or one of its kinds.
    """

    @property
    def id(self) -> str:
        """The name under which an administrator configured the archive."""
        ...

    async def search_studies(self, query: Mapping[str, str], *, limit: int, offset: int) -> Page:
        """One page of `GET /studies` (PS3.18 10.6).

        Args:
            query: Matching keys as QIDO-RS writes them, e.g. `{"StudyDate": "20260101-20260131"}`.
            limit: The most rows wanted, at least 1.
            offset: Rows to skip.

        Returns:
            The JSON text of each row, fewer than `limit` where the archive caps its pages, and several rows
            of one study where the archive has it under several patients.
        """
        ...

    async def search_series(self, study: str) -> list[bytes]:
        """The JSON text of every row of `GET /studies/{study}/series`."""
        ...

    async def search_instances(self, study: str, series: str) -> list[bytes]:
        """The JSON text of every row of `GET /studies/{study}/series/{series}/instances`."""
        ...

    def retrieve_metadata(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The body of a WADO-RS metadata answer (PS3.18 10.4.1.1.2), in chunks of any size.

        Whoever does not read it to its end closes it (`contextlib.aclosing`).

        Args:
            study: Study Instance UID.
            series: Series Instance UID, for the metadata of one series.
            instance: SOP Instance UID, for the metadata of one instance; needs `series`.
        """
        ...

    async def retrieve_header(self, study: str, series: str, instance: str) -> DataSet:
        """The elements of an instance up to its pixel data, out of the object itself (PS3.18 10.4.1.1.1).

        For archives that give no metadata: it costs a request an instance, and more bytes.
        """
        ...

    async def probe(self) -> Capabilities:
        """Finds out how the archive behaves, with few and small requests."""
        ...


def read_row(row: bytes) -> DataSet:
    """A row of a search as a data set, whatever is wrong with its text."""
    tags, raws, faults = read_elements(row)
    return DataSet(tags, raws, JSON, faults)


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Ways in which an `InMemoryArchive` misbehaves, each seen in real archives.

    Attributes:
        page_cap: No page has more rows than this, whatever `limit` asks.
        ignores_offset: Every page is the first one.
        ignores_filters: Every search gives every study.
        no_counts: Study and series rows lack their counts of series and instances.
        metadata_levels: The levels at which metadata is served; elsewhere the archive answers 404.
        failing: Studies whose metadata fails at study level (answered as unavailable).
        too_large: Studies whose metadata is refused at study level as too large.
        withheld: SOP Instance UIDs that are counted and listed, but absent from metadata.
        cut: Studies whose metadata ends in the middle of the body, without an error.
    """

    page_cap: int | None = None
    ignores_offset: bool = False
    ignores_filters: bool = False
    no_counts: bool = False
    metadata_levels: tuple[MetadataLevel, ...] = ("study", "series", "instance")
    failing: frozenset[str] = frozenset()
    too_large: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()


class _Stored(msgspec.Struct, frozen=True):
    attributes: Instance
    text: bytes

    def first(self, tag: str) -> str:
        """The first value of an attribute as text; a person name by its alphabetic group."""
        value = next(iter(self.attributes.get(tag, {}).get("Value", ())), "")
        return str(value.get("Alphabetic", "") if isinstance(value, Mapping) else value)


class InMemoryArchive:
    """An `Archive` that holds DICOM JSON instances in memory, for tests.

    Studies are listed in the order in which they were first stored; one study under two PatientIDs gives two
    rows, as in Orthanc. `StudyInstanceUID` (a comma separated list) and `StudyDate` (a date or range) are
    matched; other keys are ignored, as PS3.18 8.3.4 asks of an archive that does not know a key.
    """

    def __init__(
        self, id: str = "memory", *, faults: Faults | None = None, chunk_size: int = 64 * 1024
    ) -> None:
        """Makes an empty archive.

        Args:
            id: The archive's name.
            faults: How it misbehaves.
            chunk_size: Bytes of a chunk of metadata; a small odd number cuts bodies in awkward places.
        """
        self._id = id
        self.faults = faults or Faults()
        self.chunk_size = chunk_size
        self._stored: list[_Stored] = []

    @property
    def id(self) -> str:
        """The archive's name."""
        return self._id

    def store(self, instance: Instance, *, text: bytes | None = None) -> None:
        """Adds one instance.

        Args:
            instance: Its attributes in the DICOM JSON model, by which it is listed.
            text: What metadata shows instead of `instance`, e.g. text that is not quite JSON.
        """
        self._stored.append(_Stored(instance, msgspec.json.encode(instance) if text is None else text))

    def remove(self, study: str) -> None:
        """Takes a study out, as an archive's administrator would."""
        self._stored = [s for s in self._stored if s.first("0020000D") != study]

    async def search_studies(self, query: Mapping[str, str], *, limit: int, offset: int) -> Page:
        """One page of study rows, see `Archive.search_studies`."""
        studies: dict[tuple[str, str], list[_Stored]] = {}
        for stored in self._stored:
            studies.setdefault((stored.first("0020000D"), stored.first("00100020")), []).append(stored)
        rows = [
            self._study_row(instances)
            for instances in studies.values()
            if self.faults.ignores_filters or _matches(instances[0], query)
        ]
        start = 0 if self.faults.ignores_offset else offset
        return Page(rows[start : start + min(limit, self.faults.page_cap or limit)])

    async def search_series(self, study: str) -> list[bytes]:
        """Every series row of a study, see `Archive.search_series`."""
        series: dict[str, list[_Stored]] = {}
        for stored in self._select(study):
            series.setdefault(stored.first("0020000E"), []).append(stored)
        return [self._series_row(instances) for instances in series.values()]

    async def search_instances(self, study: str, series: str) -> list[bytes]:
        """Every instance row of a series, see `Archive.search_instances`."""
        tags = ("00080016", "00080018", "0020000D", "0020000E", "00200013")
        return [msgspec.json.encode(_pick(s.attributes, tags)) for s in self._select(study, series)]

    async def retrieve_metadata(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The metadata of a study, series or instance in chunks, see `Archive.retrieve_metadata`."""
        level: MetadataLevel = "study" if series is None else "series" if instance is None else "instance"
        selected = list(self._select(study, series, instance))
        if level not in self.faults.metadata_levels or not selected:
            raise ArchiveNotFoundError(f"Archive {self.id} has no {level} metadata for this UID (404).")
        if level == "study" and study in self.faults.failing:
            raise ArchiveUnavailableError(f"Archive {self.id} failed to answer study metadata (500).")
        if level == "study" and study in self.faults.too_large:
            raise ArchiveAnswerTooLargeError(f"Archive {self.id} refuses study metadata as too large (413).")
        shown = [s.text for s in selected if s.first("00080018") not in self.faults.withheld]
        body = b"[" + b",".join(shown) + b"]"
        if study in self.faults.cut:
            body = body[: len(body) // 2]
        for start in range(0, len(body), self.chunk_size):
            yield body[start : start + self.chunk_size]

    async def retrieve_header(self, study: str, series: str, instance: str) -> DataSet:
        """Nothing, since it keeps no objects, see `Archive.retrieve_header`."""
        raise ArchiveNotFoundError(f"Archive {self.id} has no object of this UID (404).")

    async def probe(self) -> Capabilities:
        """What this archive was told to be."""
        return Capabilities(
            offset=not self.faults.ignores_offset,
            page_cap=self.faults.page_cap,
            filters=not self.faults.ignores_filters,
            counts=not self.faults.no_counts,
            metadata=next(iter(self.faults.metadata_levels), "none"),
            all_attributes=True,
        )

    def _select(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> Iterator[_Stored]:
        wanted = {"0020000D": study, "0020000E": series, "00080018": instance}
        for stored in self._stored:
            if all(uid is None or stored.first(tag) == uid for tag, uid in wanted.items()):
                yield stored

    def _study_row(self, instances: Sequence[_Stored]) -> bytes:
        tags = ("00080020", "00080030", "00080050", "00100010", "00100020", "0020000D", "00200010")
        row = _pick(instances[0].attributes, tags)
        row["00080061"] = {"vr": "CS", "Value": sorted({s.first("00080060") for s in instances} - {""})}
        if not self.faults.no_counts:
            row["00201206"] = {"vr": "IS", "Value": [len({s.first("0020000E") for s in instances})]}
            row["00201208"] = {"vr": "IS", "Value": [len(instances)]}
        return msgspec.json.encode(dict(sorted(row.items())))

    def _series_row(self, instances: Sequence[_Stored]) -> bytes:
        tags = ("00080060", "0008103E", "0020000D", "0020000E", "00200011")
        row = _pick(instances[0].attributes, tags)
        if not self.faults.no_counts:
            row["00201209"] = {"vr": "IS", "Value": [len(instances)]}
        return msgspec.json.encode(row)


def _pick(instance: Instance, tags: Iterable[str]) -> dict[str, Any]:
    return {tag: instance[tag] for tag in tags if tag in instance}


def _matches(instance: _Stored, query: Mapping[str, str]) -> bool:
    uids = query.get("StudyInstanceUID")
    if uids is not None and instance.first("0020000D") not in uids.split(","):
        return False
    dates = query.get("StudyDate")
    if dates is None:
        return True
    date = instance.first("00080020")
    if "-" not in dates:
        return date == dates
    start, end = dates.split("-", 1)
    return bool(date) and start <= date and (not end or date <= end)
