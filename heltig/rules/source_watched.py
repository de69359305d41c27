"""Watched archives: did the study come to rest, and could it be read at all?"""

from collections.abc import Iterator

from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView


def _is_of_an_archive(study: StudyView) -> bool:
    return study.source.asked_for is not None


@rule(
    "SRC-UNSETTLED",
    level="study",
    severity="review",
    needs=(),
    when=_is_of_an_archive,
)
def unsettled(study: StudyView) -> Iterator[Hit]:
    """The study is still arriving, or its archive's index and its metadata never came to agree.

    Finds: A study that its archive lists otherwise again and again, or counts otherwise than it delivers, for
        longer than `settleSeconds` of the archive: it was judged without waiting any longer. What depends on
        the whole study, such as its counts and gaps between slices, is not evaluable then.
    Why: A verdict on a part says nothing of the rest.
    Mend: Nothing, as a rule: it is judged again by itself once it is quiet. If this stays, look who goes on
        sending or editing the study; for archives that take longer by nature raise `settleSeconds`.
    Example: A study that a modality sends a frame at a time for three hours.
    """
    for failure in study.source.failures:
        if failure.kind == "unsettled":
            yield Hit(observed=failure.detail, expected="a study that does not change any more")


@rule(
    "SRC-UNREAD",
    level="study",
    severity="review",
    needs=(),
    when=_is_of_an_archive,
)
def unread(study: StudyView) -> Iterator[Hit]:
    """The study could not be evaluated: its archive lists it, and it could not be read.

    Finds: A study that was never read, since every attempt failed: the archive did not answer for it, refused
        it, answered something else, or Heltig failed over it.
    Why: Nothing is known of it, not even whether it is whole.
    Mend: Look at the job that pulls it (`/api/v1/jobs`): its error says what the archive answered. Mend that
        and retry the job; without that it is tried again a day later.
    Example: A study whose metadata the archive answers with 500, since one of its files is damaged.
    """
    for failure in study.source.failures:
        if failure.kind == "unread":
            yield Hit(observed=failure.detail, expected="metadata that can be read")
