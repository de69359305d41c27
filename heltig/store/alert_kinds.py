"""What those who run the service are alerted to."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

AlertKind: TypeAlias = Literal[
    "job-dead",
    "breaker-open",
    "disk-low",
    "archive-failing",
    "archive-silent",
    "quarantine-waiting",
    "certificate-expiring",
    "webhook-failing",
    "audit-broken",
]

ALERT_KINDS: Final[Mapping[AlertKind, str]] = {
    "job-dead": "jobs ended badly, and wait for a person",
    "breaker-open": "an archive failed too often, and is left alone for a while",
    "disk-low": "the disk of the data or of the spool is nearly full",
    "archive-failing": "an archive could not be asked for new studies for longer than its `failingHours`",
    "archive-silent": "an archive was read, and showed no new study for its `silentHours`",
    "quarantine-waiting": "studies that a gate kept back wait for a person",
    "certificate-expiring": "our client certificate for an archive ends soon",
    "webhook-failing": "a webhook's receiver takes nothing, or said that it is gone",
    "audit-broken": "the audit trail is not what was written, or not the one that a host knows",
}
"""The kinds of alerts, and what each means."""
