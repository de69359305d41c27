"""The tables.

A column `x_row` refers to a row of table x; `x_id` and `x_uid` are DICOM's. States and kinds are text with a
check. The classes declare; the functions of this package read and write rows through the tables named here.
"""

import sqlalchemy

from heltig.store.tables.base import Table, sort_by_code_point
from heltig.store.tables.custody import GateStudyTable, ObjectTable
from heltig.store.tables.identity import RateCountTable, SessionTable
from heltig.store.tables.judged import (
    AuditCheckpointTable,
    AuditTable,
    ChangeTable,
    FindingTable,
    LookupTable,
    ProfileTable,
    RulesetTable,
    SequenceTable,
    StudyRuleTable,
    VerdictTable,
    WaiverTable,
)
from heltig.store.tables.operations import (
    ApiKeyTable,
    ArchiveTable,
    EncryptionKeyTable,
    JobGroupTable,
    JobTable,
    ServiceStartTable,
    UploadTable,
)
from heltig.store.tables.pulling import (
    BackfillStudyTable,
    BackfillTable,
    BreakerTable,
    CursorTable,
    MeasurementTable,
    ObservationTable,
    WorkerTable,
)
from heltig.store.tables.research import AnalysisOutputTable, AnalysisTable, PublicationTable
from heltig.store.tables.review import CommentTable, ConsentTable, StudyOwnerTable
from heltig.store.tables.seen import (
    ContentTable,
    DeviceSetTable,
    DeviceTable,
    InstanceTable,
    LocationTable,
    PatientTable,
    SeriesTable,
    SnapshotSeriesTable,
    SnapshotTable,
    StudyPatientTable,
    StudyTable,
)
from heltig.store.tables.telling import AlertTable, WebhookTable

__all__ = [
    "Table",
    "alerts",
    "analyses",
    "analysis_outputs",
    "api_keys",
    "archives",
    "audit",
    "audit_checkpoints",
    "backfill_studies",
    "backfills",
    "breakers",
    "changes",
    "comments",
    "consents",
    "contents",
    "cursors",
    "device_sets",
    "devices",
    "encryption_keys",
    "findings",
    "gate_studies",
    "instances",
    "job_groups",
    "jobs",
    "locations",
    "lookups",
    "measurements",
    "objects",
    "observations",
    "patients",
    "profiles",
    "publications",
    "rate_counts",
    "rulesets",
    "sequences",
    "series",
    "service_starts",
    "sessions",
    "snapshot_series",
    "snapshots",
    "studies",
    "study_owners",
    "study_patients",
    "study_rules",
    "uploads",
    "verdicts",
    "waivers",
    "webhooks",
    "workers",
]


sort_by_code_point(Table.metadata)


def _table(declared: type[Table]) -> sqlalchemy.Table:
    return Table.metadata.tables[str(declared.__tablename__)]


locations = _table(LocationTable)
archives = _table(ArchiveTable)
uploads = _table(UploadTable)
studies = _table(StudyTable)
patients = _table(PatientTable)
study_patients = _table(StudyPatientTable)
device_sets = _table(DeviceSetTable)
devices = _table(DeviceTable)
series = _table(SeriesTable)
instances = _table(InstanceTable)
snapshots = _table(SnapshotTable)
snapshot_series = _table(SnapshotSeriesTable)
contents = _table(ContentTable)
rulesets = _table(RulesetTable)
profiles = _table(ProfileTable)
verdicts = _table(VerdictTable)
findings = _table(FindingTable)
study_rules = _table(StudyRuleTable)
waivers = _table(WaiverTable)
lookups = _table(LookupTable)
sequences = _table(SequenceTable)
changes = _table(ChangeTable)
audit = _table(AuditTable)
audit_checkpoints = _table(AuditCheckpointTable)
jobs = _table(JobTable)
job_groups = _table(JobGroupTable)
api_keys = _table(ApiKeyTable)
encryption_keys = _table(EncryptionKeyTable)
service_starts = _table(ServiceStartTable)
observations = _table(ObservationTable)
cursors = _table(CursorTable)
breakers = _table(BreakerTable)
measurements = _table(MeasurementTable)
workers = _table(WorkerTable)
backfills = _table(BackfillTable)
backfill_studies = _table(BackfillStudyTable)
gate_studies = _table(GateStudyTable)
objects = _table(ObjectTable)
sessions = _table(SessionTable)
rate_counts = _table(RateCountTable)
webhooks = _table(WebhookTable)
alerts = _table(AlertTable)
study_owners = _table(StudyOwnerTable)
comments = _table(CommentTable)
consents = _table(ConsentTable)
analyses = _table(AnalysisTable)
analysis_outputs = _table(AnalysisOutputTable)
publications = _table(PublicationTable)
