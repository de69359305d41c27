"""Attributes that say how others are to be read, and that only a part of the instances has."""

from collections.abc import Iterator

from heltig.rules.conflict import patients
from heltig.rules.rule import Hit, rule
from heltig.rules.views import RowsView, SeriesView, StudyView
from heltig.rules.wording import cut


@rule("SER-TIMEZONE-PART", level="series", severity="note", compares=True, reads=("TimezoneOffsetFromUTC",),
    needs=("metadata", "all_attributes"), reference="PS3.3 C.12.1.1.8")  # fmt: skip
def timezone_in_part(series: SeriesView) -> Iterator[Hit]:
    """A part of a series says in which time zone its times are.

    Finds: Series of which some instances have TimezoneOffsetFromUTC (0008,0201), and others do not. Several
        offsets are a matter of SER-TIMEZONE-CONFLICT.
    Why: Software that takes the offset into account moves the times of a part of the images by hours against
        the others: they seem to come from two examinations.
    Mend: Have all instances sent by one way. Mostly a router wrote the offset into what passed it, and
        something else did not pass it.
    Example: A series sent half by the scanner, half after a restart by a gateway that adds the offset.
    """
    yield from _in_part(series, "TimezoneOffsetFromUTC", "the offset in all instances of the series, or none")


@rule("PAT-ISSUER-PART", level="study", severity="note", compares=True, reads=("IssuerOfPatientID",),
    needs=("metadata", "all_attributes"), reference="PS3.3 C.7.1.1")  # fmt: skip
def issuer_in_part(study: StudyView) -> Iterator[Hit]:
    """A part of a study says who issued the PatientID.

    Finds: Instances with IssuerOfPatientID (0010,0021) and others without, of one PatientID within a study.
        Several issuers are a matter of PAT-ISSUER-CONFLICT.
    Why: Archives that tell patients apart by number and issuer file the study under two patients, or refuse
        the second part (dcm4chee-arc: PatientID differs, issuer included).
    Mend: Have the issuer set in all instances, or configure the archive to assume it by calling AE title.
    Example: Images with the issuer from the worklist, and a dose report of the same scanner without it.
    """
    for patient in patients(study):
        yield from _in_part(patient, "IssuerOfPatientID", "the issuer in all instances of the study, or none")


def _in_part(view: RowsView, keyword: str, expected: str) -> Iterator[Hit]:
    if view.uniform(keyword) or not view.has_uid:
        return
    groups = view.groups(keyword)
    without = [group for group in groups if not group.key]
    having = [group for group in groups if group.key]
    if without and having:
        count = sum(group.count for group in having)
        fewer = without if without[0].count <= count else having
        yield Hit(
            tags=(keyword,),
            observed=cut(f"{having[0].key} ({count}), none ({without[0].count})"),
            expected=expected,
            rows=sorted(row for group in fewer for row in group.rows),
        )
