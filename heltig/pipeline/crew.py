"""Several processes that read inputs and work on the studies in them.

Each keeps what it reads and works on the studies that it has whole. What several have of one study they hand
over to this process, which puts it together. To hand over everything would cost more than reading side by
side saves. What comes out is the same for any number of processes.
"""

import multiprocessing
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Final, TypeVar

from connectors.upload import InputReport, Listing
from heltig.dicom.study import StudyTable
from heltig.errors import StorageError
from heltig.pipeline.batch import Facts, batch_facts, entry_of
from heltig.pipeline.reading import Books, Chunk, Given, Progress, Reader, Unread, chunks_of, unread

T = TypeVar("T")

_DIED: Final = (
    "A process that reads died; the system may be short of memory. Give --jobs 1, or check less at a time."
)

_CHUNKS_A_PROCESS: Final = 4
"""Enough that all end at about the same time; more would cut more studies."""


def work_together(
    listings: Sequence[Listing],
    work: Callable[[StudyTable, Facts], T],
    *,
    processes: int,
    deep: bool = False,
    progress: Progress | None = None,
) -> tuple[tuple[InputReport, ...], list[T]]:
    """Read inputs that are listed, and work on each study in them.

    Args:
        listings: The inputs.
        work: Called with each study, arranged, and with what is known of the others. It and what it returns
            must be fit for pickling.
        processes: How many, beside this one.
        deep: Unpack the members of ZIPs whole, and check their lengths and checksums.
        progress: Called while reading.

    Returns:
        The account of each input, and what came of each study, in the order of their keys.

    Raises:
        StorageError: A process died.
    """
    members = sum(len(listing.refs) for listing in listings)
    chunks = list(chunks_of(listings, members=members // (processes * _CHUNKS_A_PROCESS) + 1))
    books = Books(listings, progress)
    with _crew(chunks, processes, deep=deep) as crew:
        _read(crew, len(chunks), books)
        reports = books.close()
        results = _judge(crew, Reader(deep=deep), unread(reports), work)
    return reports, [results[key] for key in sorted(results)]


class _Member:
    """A process as this one sees it: it gets one order at a time."""

    def __init__(self, chunks: Sequence[Chunk], earlier: Sequence["_Member"], *, deep: bool) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        ours = [self.connection, *(member.connection for member in earlier)]
        self._process = multiprocessing.Process(target=_serve, args=(theirs, ours, chunks, deep), daemon=True)
        self._process.start()
        theirs.close()

    def order(self, name: str, *arguments: Any) -> None:
        try:
            self.connection.send((name, arguments))
        except ConnectionError as error:
            raise StorageError(_DIED) from error

    def answer(self) -> Any:
        try:
            is_well, answer = self.connection.recv()
        except (EOFError, ConnectionError) as error:
            raise StorageError(_DIED) from error
        if not is_well:
            raise answer
        return answer

    def dismiss(self) -> None:
        self.connection.close()
        self._process.terminate()
        self._process.join()


@contextmanager
def _crew(chunks: Sequence[Chunk], processes: int, *, deep: bool) -> Iterator[list[_Member]]:
    crew: list[_Member] = []
    try:
        for _ in range(processes):
            crew.append(_Member(chunks, crew, deep=deep))
        yield crew
    finally:
        for member in crew:
            member.dismiss()


def _read(crew: Sequence[_Member], chunks: int, books: Books) -> None:
    """Have all chunks read, each by whoever has nothing to do."""
    left = iter(range(chunks))
    busy: dict[Any, _Member] = {}

    def employ(member: _Member) -> None:
        number = next(left, None)
        if number is not None:
            member.order("read", number)
            busy[member.connection] = member

    for member in crew:
        employ(member)
    while busy:
        for connection in wait(list(busy)):
            member = busy.pop(connection)
            books.enter(member.answer())
            employ(member)


def _judge(
    crew: Sequence[_Member], reader: Reader, unread: Unread, work: Callable[[StudyTable, Facts], T]
) -> dict[str, T]:
    """Have the studies worked on that one process has whole; work on the others here meanwhile.

    Args:
        crew: The processes.
        reader: An empty one, which puts together here what several of them have of one study.
        unread: What could not be read.
        work: Called with each study.
    """
    for member in crew:
        member.order("keys")
    held: list[list[str]] = [member.answer() for member in crew]
    holders = Counter(key for keys in held for key in keys)
    for member, keys in zip(crew, held, strict=True):
        member.order("give", [key for key in keys if holders[key] > 1])
    for member in crew:
        given: list[Given] = member.answer()
        member.order("look", unread)
        for part in given:
            reader.take(part)
    studies = reader.studies(unread)
    entries = [entry_of(study) for study in studies]
    for member in crew:
        entries.extend(member.answer())
    facts = batch_facts(entries)
    for member in crew:
        member.order("work", facts, work)
    results = {study.key: work(study, facts.get(study.key, ())) for study in studies}
    for member in crew:
        results |= member.answer()
    return results


def _serve(connection: Connection, others: Sequence[Connection], chunks: Sequence[Chunk], deep: bool) -> None:
    """What a process of the crew does until nobody has an order for it any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gives the orders
    for other in others:
        other.close()  # else nobody would notice that the process that gives the orders was killed
    reader = Reader(deep=deep)

    def read(number: int) -> Any:
        return reader.read(chunks[number])

    def keys() -> Any:
        return list(reader.packages)

    def give(keys: list[str]) -> Any:
        return reader.give(keys)

    studies: list[StudyTable] = []

    def look(unread: Unread) -> Any:
        studies.extend(reader.studies(unread))
        return [entry_of(study) for study in studies]

    def work(facts: Mapping[str, Facts], work: Callable[[StudyTable, Facts], Any]) -> Any:
        return {study.key: work(study, facts.get(study.key, ())) for study in studies}

    orders: dict[str, Callable[..., Any]] = {
        "read": read,
        "keys": keys,
        "give": give,
        "look": look,
        "work": work,
    }
    while True:
        try:
            name, arguments = connection.recv()
        except (EOFError, ConnectionError):
            return
        try:
            answer = True, orders[name](*arguments)
        except Exception as error:
            error.add_note(traceback.format_exc())
            answer = False, error
        with suppress(ConnectionError):
            connection.send(answer)
