"""Does what somebody wants judged again exist?"""

from heltig.errors import NotFoundError
from heltig.rules.catalogue import catalogue
from heltig.rules.profile import Profile
from heltig.rules.profile_tables import nearest
from heltig.store import archives, locations, outdated, studies
from heltig.store.outdated import Selection
from heltig.store.transaction import ReadTransaction


def see_that_it_is_known(transaction: ReadTransaction, selection: Selection, profile: Profile) -> None:
    """Refuse a selection that names what there is not: nothing would be judged, and nobody would be told why.

    Args:
        transaction: Any.
        selection: Which studies.
        profile: The profile to judge under, which has rules of its own.

    Raises:
        NotFoundError: There is no such archive, upload, study or rule.
    """
    location, study_key, rule = selection.location, selection.study_key, selection.rule
    if location is not None and locations.row_of(transaction, location) is None:
        is_archive = location.kind == "archive"
        if not (is_archive and archives.find(transaction, location.name)):
            name = f"archive {location.name}" if is_archive else f"location {location}"
            raise NotFoundError(f"There is no {name}. `heltig archives list` names the archives.")
    if study_key is not None and not any(
        location in (None, study.location) for study in studies.find_everywhere(transaction, study_key)
    ):
        raise NotFoundError("Nothing is known of this study there. It was never pulled or uploaded.")
    known = profile.rules_among(catalogue())
    if rule is not None and rule not in known and not outdated.has_findings(transaction, rule):
        raise NotFoundError(
            f"There is no rule {rule}{nearest(rule, known) or '; `heltig rules` lists them'}."
        )
