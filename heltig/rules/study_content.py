"""Study: does what is in it belong together?"""

from collections.abc import Iterator

from heltig.dicom.table import Table
from heltig.rules.acquisition import ACQUIRED, class_name
from heltig.rules.conflict import conflict
from heltig.rules.names import words
from heltig.rules.references_rejection import rejected
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView, StudyView
from heltig.rules.wording import counted
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup

_REFERRING = {
    "CurrentRequestedProcedureEvidenceSequence": ("ReferencedSeriesSequence", "ReferencedSOPSequence"),
    "ReferencedSeriesSequence": ("ReferencedImageSequence",),
}
"""Where reports and key objects (PS3.3 C.17.2), and presentation states, name the images they are about."""


def _only_refers(study: StudyView) -> bool:
    """Nothing but presentation states, key objects and reports."""
    classes = [lookup(group.key) for group in study.groups("SOPClassUID")]
    return all(c is not None and c.modality in (("PR",), ("KO",), ("SR",)) for c in classes)


@rule(
    "STU-EMPTY-IMAGES",
    level="study",
    severity="review",
    reads=("SOPClassUID",),
    needs=("metadata", "complete_study"),
    when=_only_refers,
)
def no_images(study: StudyView) -> Iterator[Hit]:
    """The study refers to images of its own that are not there.

    Finds: A study of presentation states, key objects and reports alone, which refer to images of this study
        of which none is there. Reports that refer to no image, or to another study's, are left alone, and so
        are images that a rejection note of the study names: it was applied, as IOCM-NOTE-DANGLING says.
    Why: The images were lost, or stored under another study: whoever opens this one sees nothing.
    Mend: Look for the images in the source by patient and date; have both joined under one StudyInstanceUID,
        or this one deleted.
    Example: Key objects that stayed behind when the study's images were moved to a corrected study.
    """
    present = set(study.texts("SOPInstanceUID"))
    gone = {one.instance for _, _, named in rejected(study) for one in named}
    referenced = _referenced(study) - gone
    if referenced and not referenced & present:
        classes = counted((class_name(g.key), g.count) for g in study.groups("SOPClassUID"))
        yield Hit(
            tags=("SOPClassUID",),
            observed=classes,
            expected="images that they refer to",
        )


def _referenced(study: StudyView) -> set[str]:
    """SOP Instance UIDs of this study that its instances refer to."""
    found: set[str] = set()
    for keyword, path in _REFERRING.items():
        column = study.table.columns.get(tag_of(keyword))
        if column is not None:
            items = study.table.items(column)
            studies = {items.at(tag_of("StudyInstanceUID"), row).text for row in range(items.rows)}
            if studies & {"", study.uid}:
                found |= _uids(items, path)
    return found - {""}


def _uids(items: Table, path: tuple[str, ...]) -> set[str]:
    """Referenced SOP Instance UIDs at the end of a path of sequences."""
    if not path:
        tag = tag_of("ReferencedSOPInstanceUID")
        return {items.at(tag, row).text for row in range(items.rows)}
    column = items.columns.get(tag_of(path[0]))
    return set() if column is None else _uids(items.items(column), path[1:])


@rule(
    "STU-ID-CONFLICT",
    level="study",
    severity="note",
    compares=True,
    reads=("StudyID",),
    reference="PS3.3 C.7.2.1",
)
def id_conflict(study: StudyView) -> Iterator[Hit]:
    """One study has several values of StudyID.

    Finds: More than one StudyID (0020,0010) within a study; instances without one do not count.
    Why: Archives keep one of them. It is rarely searched for, but it may show that two studies became one.
    Mend: Look at the series with the rarer value: if they belong to another study, separate them.
    Example: A workstation that numbers its own results in StudyID.
    """
    yield from conflict(study, "StudyID", where="study")


@rule(
    "STU-DESC-CONFLICT",
    level="study",
    severity="note",
    compares=True,
    reads=("StudyDescription",),
    reference="PS3.3 C.7.2.1",
)
def description_conflict(study: StudyView) -> Iterator[Hit]:
    """One study has several descriptions.

    Finds: More than one StudyDescription (0008,1030) within a study; instances without one do not count.
    Why: Archives show one of them. Hanging protocols and the search for earlier studies go by it.
    Mend: Agree which one is right, and have it set in all instances; look for systems that put in their own.
    Example: `CT Thorax` from the worklist and `Thorax Routine` from the scanner's protocol.
    """
    yield from conflict(study, "StudyDescription", where="study")


@rule(
    "STU-REFPHYS-CONFLICT",
    level="study",
    severity="note",
    compares=True,
    reads=("ReferringPhysicianName",),
    reference="PS3.3 C.7.2.1",
)
def referring_physician_conflict(study: StudyView) -> Iterator[Hit]:
    """One study has several referring physicians.

    Finds: ReferringPhysicianNames (0008,0090) within a study that differ in their words; instances without
        one do not count.
    Why: Archives keep one of them; reports and access rights may go to the wrong one.
    Mend: Compare with the order, and have its physician set in all instances.
    Example: A study continued the next day under another order.
    """
    yield from conflict(study, "ReferringPhysicianName", where="study", key=words)


_TOGETHER = (
    frozenset({"CT", "PT", "NM"}),
    frozenset({"MR", "PT", "NM"}),
    frozenset({"CR", "DX", "RG", "RF", "XA", "CT"}),
    frozenset({"XA", "CT", "IVUS", "IVOCT", "US", "ECG", "HD", "EPS"}),
    frozenset({"MG", "US", "DX", "CR"}),
    frozenset({"DX", "IO", "PX", "CT", "XC"}),
    frozenset({"US", "ES", "XC", "BDUS"}),
    frozenset({"OP", "OPT", "OPM", "OAM", "OPTENF", "OPTBSV", "OPV", "AR", "KER", "LEN", "SRF", "VA", "US"}),
    frozenset({"SM", "GM", "XC"}),
    frozenset({"XC", "DMS"}),
    frozenset({"BMD", "DX", "CR"}),
)
"""Modalities that one examination has together."""


@rule("STU-MODALITY-SET", level="study", severity="note", reads=("Modality",))
def modality_set(study: StudyView) -> Iterator[Hit]:
    """One accession holds modalities that no examination has together.

    Finds: Series of one AccessionNumber within a study whose modalities do not go together in one
        examination. Reports, presentation states, segmentations, plans and captures do not count.
    Why: Two examinations may have become one study: each report then shows the other's images, and archives
        that file by modality find half.
    Mend: Look whether all series belong to the order; separate those that do not.
    Example: A mammogram in a CT study, after both were done under the worklist entry of the CT.
    """
    if len(study.series) < 2 or study.uniform("Modality"):
        return
    orders: dict[str, dict[str, list[SeriesView]]] = {}
    for series in study.series:
        if series.modality in ACQUIRED:
            order = orders.setdefault(series.first("AccessionNumber").text, {})
            order.setdefault(series.modality, []).append(series)
    for modalities in orders.values():
        if len(modalities) == 1 or any(modalities.keys() <= together for together in _TOGETHER):
            continue
        counts = {modality: sum(map(len, several)) for modality, several in modalities.items()}
        ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        others = [series for modality, _ in ordered[1:] for series in modalities[modality]]
        yield Hit(
            tags=("Modality",),
            observed=counted(ordered),
            expected="modalities of one examination",
            rows=sorted(row for series in others for row in series.rows),
        )
