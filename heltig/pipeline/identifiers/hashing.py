"""Judging where identifiers are kept as hashes: what rules are told, and what is kept of their findings."""

import msgspec

from heltig.dicom.study import StudyTable
from heltig.pipeline.evidence import study_attributes
from heltig.pipeline.identifiers.redaction import redacted_finding, told_tags, told_texts
from heltig.rules.finding import Finding
from heltig.rules.index_facts import IndexFact
from heltig.store.keyed import Keyed
from heltig.verdict import Waiver


class Hashing(msgspec.Struct, frozen=True):
    """Stands between the rules, which read values, and the store, which has hashes."""

    keyed: Keyed

    def told(self, table: StudyTable, facts: tuple[IndexFact, ...]) -> tuple[IndexFact, ...]:
        """What the index says about a study, with the study's own values in plain text."""
        return self.keyed.told(study_attributes(table), facts) if facts else ()

    def sealed(self, finding: Finding) -> Finding:
        """A finding as it is kept: without what was observed where that could name a patient.

        Its digest is that of what was observed, under the key: waivers go by it as ever.
        """
        return msgspec.structs.replace(redacted_finding(finding), digest=self.keyed.digest(finding.digest))

    def sealed_waiver(self, waiver: Waiver) -> Waiver:
        """A waiver that was given while findings were kept as they are."""
        return msgspec.structs.replace(
            waiver,
            tags=told_tags(waiver.tags),
            observed=told_texts(waiver.rule, waiver.tags, waiver.observed)[0],
            digest=self.keyed.digest(waiver.digest),
        )
