"""De-identification: what the profile empties or replaces, whatever option is claimed.

PS3.15 table E.1-1 has `Z` without an option for these attributes. So what counts is whether their value looks
like a replacement, and nobody says how replacements look.
"""

import re
from collections.abc import Iterator
from typing import Final

from heltig.rules.deidentification_claims import MODIFIED_DATES, checked_rows, claims
from heltig.rules.deidentification_identity import is_birth_date
from heltig.rules.deidentification_words import is_dummy
from heltig.rules.rule import Hit
from heltig.rules.site_pattern import pattern_of
from heltig.rules.views import StudyView
from heltig.rules.wording import cut

_GIVEN: Final = re.compile(r"([A-Za-z]{0,4})[ /_.-]?((?:19|20)\d\d[-/.]\d{4,8}|\d{7,12})", re.ASCII)
"""A number as information systems give them. Shorter ones are counters, longer ones hash values."""

_COUNTED: Final = re.compile(r"0{3}\d*|(\d)\1+")
_IN_A_ROW: Final = "01234567890123456789", "98765432109876543210"


def replaced_attributes(study: StudyView) -> Iterator[Hit]:
    """Shifted birth dates, and numbers of orders and studies that look like a hospital's own."""
    for claim in claims(study) if study.has("PatientBirthDate") else ():
        for group in study.groups("PatientBirthDate") if MODIFIED_DATES in claim.options else ():
            rows = claim.checked.intersection(group.rows) if is_birth_date(group.key, study) else ()
            if rows:
                yield Hit(
                    tags=("PatientBirthDate",),
                    observed=cut(group.key),
                    expected="empty, or a first of January: no option keeps it, not even shifted",
                    rows=sorted(rows),
                )
    for keyword in ("AccessionNumber", "StudyID"):
        for group in study.groups(keyword) if study.has(keyword) else ():
            if not _is_given(group.key, study.context.parameters.pseudonyms):
                continue
            rows = checked_rows(study).intersection(group.rows)
            own = list(zip(study.texts("PatientID"), study.texts("PatientName"), strict=True))
            pseudonyms = {pair for pair in set(own) if _is_of_pseudonym(group.key, *pair)}
            if pseudonyms:
                rows = frozenset(row for row in rows if own[row] not in pseudonyms)
            if rows:
                yield Hit(
                    tags=(keyword,),
                    observed=cut(group.key),
                    expected="empty, or a replacement that nobody takes for a hospital's number",
                    rows=sorted(rows),
                )


def _is_given(value: str, pseudonyms: str) -> bool:
    """The value has the form of a number that an information system gave."""
    text = value.strip()
    found = _GIVEN.fullmatch(text)
    if found is None or (found[1] and is_dummy(found[1]) and len(found[1]) > 2):
        return False
    if _COUNTED.fullmatch(found[2]) or any(found[2] in row for row in _IN_A_ROW):
        return False
    return not (pseudonyms and pattern_of(pseudonyms).matches(text))


def _is_of_pseudonym(value: str, patient_id: str, name: str) -> bool:
    """The value is, or holds, the PatientID or PatientName, or begins with the letters of the PatientID."""
    text, number = value.strip(), patient_id.strip()
    letters = re.match("[A-Za-z]*", text)
    return (
        text in number
        or text in name
        or (len(number) > 2 and number in text)
        or (letters is not None and len(letters[0]) > 1 and number.startswith(letters[0]))
    )
