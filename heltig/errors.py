"""The errors of Heltig: one tree, one base to catch.

    HeltigError
    ├── UsageError                     the caller asked for something that makes no sense
    ├── ConfigurationError             a setting, a profile or an archive's entry is wrong
    ├── InputError                     files or bodies handed to us are refused
    │   ├── UnreadableInputError       nothing in it could be read
    │   ├── InputTooLargeError         a limit on size, count or ratio
    │   └── UnsafePackageError         a ZIP that no one should unpack
    ├── NotFoundError
    ├── ConflictError
    │   ├── PreconditionFailedError
    │   └── PreconditionRequiredError
    ├── AuthenticationError            who are you?
    ├── AuthorisationError             you may not
    ├── ProviderError                  the OpenID provider did not do its part
    ├── BusyError                      no room for more now
    ├── StorageError                   the database or the disk
    │   ├── DamagedDatabaseError       its file is not what was written
    │   └── UpgradedError              our own files are others than when we started
    └── ArchiveError                   a remote archive
        ├── ArchiveUnavailableError    no connection, no answer, or "not now"
        │   ├── ArchiveSilentError     no answer in time
        │   ├── ArchiveBusyError       it says "not now"
        │   └── ArchiveRateLimitedError
        ├── ArchiveAccessError         it refuses us, or we cannot trust it
        │   └── ArchiveCredentialsError
        ├── ArchiveNotFoundError       it does not have what we asked for
        ├── ArchiveStudyError          it answers, but gives nothing of one study now
        ├── CursorLostError            it does not know any more how far its changes were read
        ├── ArchivePausedError         an administrator paused it
        ├── ArchiveClosedError         it is not to be asked now: it failed too often
        │   └── ArchiveRestingError    or is outside its hours
        └── ArchiveAnswerError         it answers what DICOMweb does not allow
            ├── ArchiveAddressError    a UID that no address can be made of
            └── ArchiveAnswerTooLargeError

A class says what kind of error it is, for every way out: the exit code of the command line, the HTTP status
and the problem type (RFC 9457). An instance says what happened and what to do, in `detail`. Findings about a
study are never errors. Exit codes 0, 10 and 20 belong to the verdicts of `heltig check`, 1 to our own faults.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Self


class HeltigError(Exception):
    """Base of all errors that Heltig raises on purpose.

    Attributes:
        exit_code: What the command line exits with.
        status: The HTTP status that our API answers with.
        problem_type: URI reference of the kind of problem (RFC 9457 `type`).
        title: The kind of problem in a few words, the same for every instance.
        detail: What happened and what to do. Never a patient's data, never a URL's query.
        retry_after: Seconds after which asking again makes sense, where that is known.
    """

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500
    problem_type: ClassVar[str] = "/problems/internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class UsageError(HeltigError):
    """The caller asked for something that makes no sense: an argument, a parameter, a request body."""

    exit_code = 2
    status = 400
    problem_type = "/problems/bad-request"
    title = "Request not understood"


class ConfigurationError(HeltigError):
    """A setting, a profile or an archive's entry is wrong; whoever runs Heltig has to mend it."""

    exit_code = 2
    status = 500
    problem_type = "/problems/configuration"
    title = "Configuration not usable"


class InputError(HeltigError):
    """Files or bodies handed to us are refused as a whole."""

    exit_code = 3
    status = 422
    problem_type = "/problems/input"
    title = "Input refused"


class UnreadableInputError(InputError):
    """Nothing in the input could be read as DICOM."""

    problem_type = "/problems/input-unreadable"
    title = "Input not readable"


class InputTooLargeError(InputError):
    """The input is over a limit on size, count, ratio or nesting."""

    status = 413
    problem_type = "/problems/input-too-large"
    title = "Input too large"


class UnsafePackageError(InputError):
    """A ZIP that must not be unpacked: a path out of its folder, a link, an encrypted member."""

    problem_type = "/problems/package-unsafe"
    title = "Package not safe"


class NotFoundError(HeltigError):
    """What the caller named does not exist here."""

    exit_code = 4
    status = 404
    problem_type = "/problems/not-found"
    title = "Not found"


class ConflictError(HeltigError):
    """What the caller wants contradicts what is stored."""

    exit_code = 5
    status = 409
    problem_type = "/problems/conflict"
    title = "Conflict"


class PreconditionFailedError(ConflictError):
    """What the caller wants to change is not any more what they have seen (If-Match)."""

    status = 412
    problem_type = "/problems/precondition-failed"
    title = "Changed meanwhile"


class PreconditionRequiredError(ConflictError):
    """The caller has to say what they have seen of what they want to change (If-Match)."""

    status = 428
    problem_type = "/problems/precondition-required"
    title = "If-Match needed"


class AuthenticationError(HeltigError):
    """The request does not say, or cannot prove, who is asking."""

    exit_code = 6
    status = 401
    problem_type = "/problems/unauthenticated"
    title = "Authentication needed"


class AuthorisationError(HeltigError):
    """The principal is known and may not do this."""

    exit_code = 6
    status = 403
    problem_type = "/problems/forbidden"
    title = "Not allowed"


class ProviderError(HeltigError):
    """The OpenID provider cannot be asked, or does not answer as it should: nobody can prove who they are."""

    exit_code = 8
    status = 503
    problem_type = "/problems/provider"
    title = "OpenID provider not available"


class BusyError(HeltigError):
    """There is no room for more at present; nothing was done."""

    exit_code = 7
    status = 503
    problem_type = "/problems/busy"
    title = "Busy"


class StorageError(HeltigError):
    """The database or the disk does not do what it should: locked, full, not writable, at another version."""

    exit_code = 7
    status = 503
    problem_type = "/problems/storage"
    title = "Storage not usable"


class DamagedDatabaseError(StorageError):
    """The file of the database is not what was written: trying again does not help."""

    problem_type = "/problems/database-damaged"
    title = "Database damaged"


class UpgradedError(StorageError):
    """Heltig's own files changed on disk while it ran: its processes do not judge by the same rules."""

    problem_type = "/problems/upgraded"
    title = "Upgraded while it ran"


class ArchiveError(HeltigError):
    """A remote archive did not do its part.

    Attributes:
        did_nothing: It surely did nothing with what it was sent: there was no connection, or its answer says
            so. Where this is False nobody knows.
    """

    exit_code = 8
    status = 502
    problem_type = "/problems/archive"
    title = "Archive failed"
    did_nothing: bool = False

    def having_done_nothing(self) -> Self:
        """The same error, of an archive that surely did nothing."""
        self.did_nothing = True
        return self


class ArchiveUnavailableError(ArchiveError):
    """No connection, an answer that breaks off; below it no answer in time, and "not now"."""

    problem_type = "/problems/archive-unavailable"
    title = "Archive not available"


class ArchiveSilentError(ArchiveUnavailableError):
    """No answer in time."""

    status = 504
    problem_type = "/problems/archive-silent"
    title = "Archive silent"


class ArchiveBusyError(ArchiveUnavailableError):
    """The archive says "not now" (408, 502, 503, 504)."""

    status = 503
    problem_type = "/problems/archive-busy"
    title = "Archive busy"


class ArchiveRateLimitedError(ArchiveUnavailableError):
    """The archive says that we ask too often (429)."""

    status = 503
    problem_type = "/problems/archive-rate-limited"
    title = "Archive limits our rate"


class ArchiveAccessError(ArchiveError):
    """The archive refuses our credentials (401), or what we want with them (403), or TLS refuses."""

    problem_type = "/problems/archive-access"
    did_nothing = True
    title = "No access to the archive"


class ArchiveCredentialsError(ArchiveAccessError):
    """The archive does not believe who we are (401), gives us no token, or TLS refuses: nothing can work."""

    problem_type = "/problems/archive-credentials"
    title = "Archive does not know us"


class ArchiveNotFoundError(ArchiveError):
    """The archive does not have what we asked for (404, 410)."""

    status = 404
    problem_type = "/problems/archive-not-found"
    title = "Archive does not have it"


class ArchiveStudyError(ArchiveError):
    """The archive answers other requests, but gives nothing of one study, for a reason that may pass."""

    problem_type = "/problems/archive-study"
    title = "Archive does not give the study"


class CursorLostError(ArchiveError):
    """The archive does not know any more how far its changes were read: its database is another one."""

    problem_type = "/problems/archive-cursor-lost"
    title = "Archive's changes cannot be read on"


class ArchivePausedError(ArchiveError):
    """An administrator paused the archive: it is asked for nothing until it is resumed."""

    status = 409
    problem_type = "/problems/archive-paused"
    did_nothing = True
    title = "Archive paused"


class ArchiveClosedError(ArchiveError):
    """The archive is not to be asked now: it is outside its hours, or it failed too often.

    `retry_after` is the time until it may be asked again.
    """

    status = 503
    problem_type = "/problems/archive-closed"
    did_nothing = True
    title = "Archive not to be asked now"


class ArchiveRestingError(ArchiveClosedError):
    """The archive is outside its hours."""

    problem_type = "/problems/archive-resting"
    title = "Archive outside its hours"


class ArchiveAnswerError(ArchiveError):
    """The archive answers what DICOMweb does not allow: another status or media type, a broken body.

    Attributes:
        answer_status: The HTTP status of that answer, where it is the status that is wrong.
    """

    problem_type = "/problems/archive-answer"
    title = "Archive answers unexpectedly"

    def __init__(self, detail: str, *, answer_status: int | None = None) -> None:
        super().__init__(detail)
        self.answer_status = answer_status


class ArchiveAddressError(ArchiveAnswerError):
    """The archive names a UID that no address can be made of; it was not asked for it."""

    problem_type = "/problems/archive-address"
    title = "Archive names what cannot be asked for"


class ArchiveAnswerTooLargeError(ArchiveAnswerError):
    """The archive's answer is over our byte limit; asking for less at a time may help."""

    problem_type = "/problems/archive-answer-too-large"
    title = "Archive's answer too large"


@contextmanager
def named(setting: str) -> Iterator[None]:
    """Has what is wrong with a value say which setting it is the value of.

    Raises:
        ConfigurationError: As was raised, with the setting before it.
    """
    try:
        yield
    except ConfigurationError as wrong:
        raise ConfigurationError(f"{setting}: {wrong.detail}") from wrong
