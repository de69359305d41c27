"""Targets: what the archives that a profile names would answer to this study.

Archives accept more or less; what one refuses another files away in its own manner. Each rule here says what
one archive does, and runs only where the profile names it (`targets`), or says what it takes.
"""

import re
from collections.abc import Iterator
from typing import Final

from heltig.rules.acquisition import class_name
from heltig.rules.duplicates import copies
from heltig.rules.parameters import Target
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import counted, cut

UIDS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def is_target(study: StudyView, target: Target) -> bool:
    """The profile names the target."""
    return target in study.context.parameters.targets


@rule(
    "IOD-SOP-TARGET",
    level="instance",
    severity="block",
    reads=("SOPClassUID",),
    when=lambda at: at.has("SOPClassUID") and bool(at.context.parameters.accepted_sop_classes),
)
def class_not_accepted(at: Values) -> Iterator[Hit]:
    """The archive to come does not take this kind of object.

    Finds: A SOPClassUID that is not in the profile's `accepted_sop_classes`. With an empty list, as in the
        default profile, the rule does not apply.
    Why: The target refuses the objects one by one, when the move has long begun; what is refused stays behind
        in an archive that will be switched off.
    Mend: Find out what the target can be set up to take. Where it cannot, have the objects converted, or kept
        in another archive.
    Example: Surface segmentations for an archive that takes images and reports.
    """
    uid = at["SOPClassUID"].text
    if uid not in at.context.parameters.accepted_sop_classes:
        yield Hit(observed=cut(class_name(uid)), expected="a SOP Class that the target takes")


@rule("TGT-ORTHANC", level="study", severity="block", when=lambda study: is_target(study, "orthanc"))
def orthanc(study: StudyView) -> Iterator[Hit]:
    """Orthanc would refuse a part of the study, or file it in two.

    Finds: Where the profile names the target `orthanc`: instances without a Study, Series or SOP Instance
        UID, which it refuses; more than one PatientID, for which it makes a study each; different instances
        of one SOPInstanceUID, of which it keeps the first and calls the other already stored.
    Why: A study in two halves cannot be read back: its DICOMweb interface fails on the metadata of such a
        study. An instance called stored that is not is lost.
    Mend: Correct the study at its source before it is sent.
    Example: Two series of one study under `4711` and `04711`, which become two studies.
    """
    yield from _without_uids(study, "Orthanc refuses instances without it")
    patients = study.groups("PatientID")
    if len(patients) > 1:
        yield Hit(
            tags=("PatientID",),
            observed=counted((group.key or "none", group.count) for group in patients),
            expected="one PatientID in the study",
            rows=sorted(row for group in patients[1:] for row in group.rows),
            message="Orthanc makes a study of each PatientID, and its study metadata cannot be read",
        )
    yield from _copies(study, "Orthanc answers that it is stored already, and keeps the first one")


def _without_uids(study: StudyView, message: str, keywords: tuple[str, ...] = UIDS) -> Iterator[Hit]:
    for keyword in keywords:
        rows = [row for row, text in enumerate(study.texts(keyword)) if not text]
        if rows:
            yield Hit(tags=(keyword,), observed="none", expected=f"a {keyword}", rows=rows, message=message)


def _copies(study: StudyView, message: str, *, alike: bool = False) -> Iterator[Hit]:
    """Instances that share a SOPInstanceUID with another one of the series.

    Args:
        study: The study.
        message: What the archive does with the later ones.
        alike: Those that say the same as the first one, in place of those that say something else.
    """
    for series in study.series:
        rows = [copy.row for copy in copies(series) if alike != bool(copy.differs)]
        if rows:
            uid = cut(study.texts("SOPInstanceUID")[rows[0]], 64)
            yield Hit(
                tags=("SOPInstanceUID",),
                observed=f"{uid} again, with the same attributes"
                if alike
                else f"different instances of {uid}",
                expected="each instance once" if alike else "a SOPInstanceUID of its own",
                rows=rows,
                message=message,
            )


_AZURE_UID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_AZURE_PATIENT_ID: Final = 64


@rule("TGT-AZURE", level="study", severity="block", when=lambda study: is_target(study, "azure"))
def azure(study: StudyView) -> Iterator[Hit]:
    """Microsoft's DICOM service would refuse a part of the study.

    Finds: Where the profile names the target `azure`: instances without Study, Series or SOP Instance UID,
        SOP Class UID or PatientID (0010,0020), UIDs longer than 64 characters or with characters other than
        letters, digits, dots and hyphens, PatientIDs longer than 64 (43264, failed validation), and different
        instances of one SOPInstanceUID (45070, exists already).
    Why: It answers 409 or 202 with a list of failures that senders overlook; the study then lacks instances.
    Mend: Correct the study at its source before it is sent.
    Example: A UID with an underscore that a research tool put in.
    """
    yield from _without_uids(study, "Azure answers 43264 (A900H)", (*UIDS, "SOPClassUID"))
    absent = [row for row, cell in enumerate(study.cells("PatientID")) if not cell.vr]
    if absent:
        yield Hit(
            tags=("PatientID",),
            observed="absent",
            expected="a PatientID",
            rows=absent,
            message="Azure answers 43264 (A900H)",
        )
    for keyword in (*UIDS, "SOPClassUID", "PatientID"):
        wrong: dict[str, list[int]] = {}
        for row, text in enumerate(study.texts(keyword)):
            if text and not _is_taken_by_azure(keyword, text):
                wrong.setdefault(text, []).append(row)
        for text, rows in wrong.items():
            yield Hit(
                tags=(keyword,),
                observed=cut(text),
                expected="up to 64 characters" + ("" if keyword == "PatientID" else " of a UID"),
                rows=rows,
                message="Azure answers 43264 (A900H)",
            )
    yield from _copies(study, "Azure answers 45070 (B00EH): it has an instance of this UID")


@rule("TGT-AZURE-COPY", level="study", severity="review", when=lambda study: is_target(study, "azure"))
def azure_copy(study: StudyView) -> Iterator[Hit]:
    """Microsoft's DICOM service would refuse the second copy of an instance.

    Finds: Where the profile names the target `azure`: instances of a series with the SOPInstanceUID and the
        content of one before them (45070, exists already). Copies that differ are a matter of TGT-AZURE.
        What is compared is said with INS-SOPUID-DUP-SAME.
    Why: Nothing is lost, but the answer is 202 or 409 with a list of failures: whoever sends the study takes
        it for incomplete.
    Mend: Leave the copies out when the study is sent.
    Example: A transfer that broke off and was begun again into the same folder.
    """
    yield from _copies(study, "Azure answers 45070 (B00EH): it has the instance already", alike=True)


def _is_taken_by_azure(keyword: str, text: str) -> bool:
    if keyword == "PatientID":
        return len(text) <= _AZURE_PATIENT_ID
    return _AZURE_UID.fullmatch(text) is not None


@rule("TGT-GOOGLE", level="study", severity="block", when=lambda study: is_target(study, "google"))
def google(study: StudyView) -> Iterator[Hit]:
    """Google's Healthcare API would refuse a part of the study.

    Finds: Where the profile names the target `google`: different instances of one SOPInstanceUID in a series,
        of which it keeps the first and refuses the other.
    Why: The second instance is answered with 409, conflict. What it showed is lost, unless the sender deletes
        the first one.
    Mend: Find out which of the two is right, and send that one; give the other a UID of its own.
    Example: An image that was sent twice, the second time with a corrected laterality.
    """
    yield from _copies(study, "Google answers 409: an instance of this UID exists, and differs")
