"""Every action that the audit trail records: the one declaration; the table in docs/audit.md is made of it.

A type checker refuses an action that is not declared here; a test finds those that nothing records.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

Action: TypeAlias = Literal[
    "analysis.cancel", "analysis.download", "analysis.order", "analysis.override", "analysis.publish",
    "analysis.published",
    "archive.add", "archive.change", "archive.pause", "archive.remove", "archive.resume", "archive.test",
    "audit.accept", "audit.begin", "audit.checkpoint", "audit.export", "audit.read", "audit.rotate-key",
    "backfill.cancel", "backfill.start",
    "backup.make", "backup.restore",
    "comment.add", "comment.withdraw",
    "encryption.rewrite", "encryption.rotate-key",
    "gate.blocked-after-forward", "gate.forward", "gate.open", "gate.quarantine", "gate.refuse", "gate.take",
    "identifiers.rewrite",
    "job.discard", "job.retry",
    "key.create", "key.revoke",
    "patient.look", "patient.search",
    "profile.use",
    "quarantine.ask", "quarantine.decline", "quarantine.discard", "quarantine.release",
    "request.refuse",
    "rescore.start",
    "retention.purge",
    "rules.time",
    "ruleset.use",
    "service.start", "service.stop",
    "session.begin", "session.end", "session.refuse",
    "spool.write-off",
    "study.own", "study.pull", "study.purge", "study.unread", "study.withdraw",
    "upload.accept", "upload.purge",
    "verdict.publish", "verdict.reverse",
    "waiver.give", "waiver.revoke",
    "webhook.add", "webhook.change", "webhook.pause", "webhook.remove", "webhook.resume", "webhook.retry",
    "webhook.test",
]  # fmt: skip
"""The actions, as `thing.verb`."""


class Recorded(msgspec.Struct, frozen=True):
    """What is recorded of an action.

    Attributes:
        when: What happened.
        subject: What it happened to.
        detail: What else is kept.
    """

    when: str
    subject: str
    detail: str = ""


_ARCHIVE: Final = "`archive:NAME`"
_STUDY: Final = "location and study"
_WEBHOOK: Final = "`webhook:NAME`"

ACTIONS: Final[Mapping[Action, Recorded]] = {
    "analysis.cancel": Recorded("An analysis was cancelled", _STUDY, "the analysis, its state"),
    "analysis.download": Recorded(
        "Files of an analysis were handed out", _STUDY, "the analysis, which file; `zip` for all of them"
    ),
    "analysis.order": Recorded(
        "An analysis was ordered",
        _STUDY,
        "the analysis, readiness and revision, segmenters, whether data may be identified",
    ),
    "analysis.override": Recorded(
        "An analysis of a study that is not READY was ordered", _STUDY, "likewise, and the reason"
    ),
    "analysis.publish": Recorded(
        "Objects of an analysis were ordered to be sent to an archive",
        _STUDY,
        "the analysis, the archive, which files",
    ),
    "analysis.published": Recorded(
        "The archive shows objects of an analysis, or they cannot be sent",
        _STUDY,
        "the analysis, the archive, which files, a code",
    ),
    "archive.add": Recorded("An archive was added", _ARCHIVE),
    "archive.change": Recorded(
        "An archive's entry was changed", _ARCHIVE, "the fields, secrets as references"
    ),
    "archive.pause": Recorded("Nothing is asked of an archive any more", _ARCHIVE),
    "archive.remove": Recorded("An archive was removed", _ARCHIVE),
    "archive.resume": Recorded("An archive is asked again", _ARCHIVE),
    "archive.test": Recorded("An archive was tried", _ARCHIVE),
    "audit.accept": Recorded(
        "A trail that is not the one that a host knew goes on as it is",
        "`audit`",
        "reason, what this host knew to be wrong; how many rows were none of an entry; how many places were "
        "wrong, and a digest over them",
    ),
    "audit.begin": Recorded("The chain began", "`audit-key:ID`", "entries that are older than the chain"),
    "audit.checkpoint": Recorded(
        "Older entries were purged", "`audit:SEQUENCE`", "how many, the last one's tag"
    ),
    "audit.export": Recorded(
        "The trail was exported by `heltig audit export`", "`audit`", "filters, how many"
    ),
    "audit.read": Recorded("The trail was read over HTTP", "route", "how often"),
    "audit.rotate-key": Recorded("Another key seals from this entry on", "`audit-key:ID`", "the key before"),
    "backfill.cancel": Recorded("A backfill was stopped", "location", "its number and dates"),
    "backfill.start": Recorded("A backfill was begun", "location", "its number and dates"),
    "backup.make": Recorded("A backup was made", "backup", "the file, with secrets or without"),
    "backup.restore": Recorded("A backup was restored here", "backup", "when it was made, by which version"),
    "comment.add": Recorded("Somebody commented on a study", _STUDY, "the comment's id"),
    "comment.withdraw": Recorded("A comment was taken back", _STUDY, "the comment's id, its author"),
    "encryption.rewrite": Recorded(
        "Everything stored is rewritten with the newest key: when that began, and when it ended",
        "`encryption-key:ID`",
        "how many rows",
    ),
    "encryption.rotate-key": Recorded(
        "Evidence is encrypted with a new key from now on", "`encryption-key:ID`", "the key before"
    ),
    "gate.blocked-after-forward": Recorded(
        "A study that a gate had forwarded is BLOCKED", _STUDY, "instances"
    ),
    "gate.forward": Recorded("A study that a gate held was forwarded to its archive", _STUDY, "instances"),
    "gate.open": Recorded("A gate let instances pass unjudged", "gate", "request, instances"),
    "gate.quarantine": Recorded("A gate keeps a study for a person", _STUDY, "why, instances"),
    "gate.refuse": Recorded("A gate refused instances", "gate", "request, instances, rules"),
    "gate.take": Recorded(
        "A gate took instances; once a second for each sender and gate",
        "gate",
        "how many; the studies, each with how many",
    ),
    "identifiers.rewrite": Recorded(
        "Identifiers in the database begin to be hashed, or all of them are now", "`identifier-key:ID`"
    ),
    "job.discard": Recorded("A job that ended badly was let be", "job", "kind, attempts, error"),
    "job.retry": Recorded("A job that ended badly was queued again", "job", "kind, attempts, error"),
    "key.create": Recorded("An API key was made", "`key:NAME`", "role, areas, expiry"),
    "key.revoke": Recorded("An API key was revoked", "`key:NAME`"),
    "patient.look": Recorded(
        "Patient data was shown or handed out; once a second for each who, where from and route",
        "route",
        "how often; the studies, each with how often",
    ),
    "patient.search": Recorded(
        "Studies were searched; once a second for each who, where from and route",
        "route",
        "how often; the keys that were matched, never their values; the studies that were shown, each with "
        "how often",
    ),
    "profile.use": Recorded(
        "The first verdict under a profile, or a changed one, is in force", "profile", "its hash"
    ),
    "quarantine.ask": Recorded(
        "Somebody asks a second person to consent to a release, or to throwing away",
        _STUDY,
        "which of the two, number of the request, instances, until when",
    ),
    "quarantine.decline": Recorded(
        "A second person does not consent, or who asked takes it back",
        _STUDY,
        "which of the two, number of the request, who asked",
    ),
    "quarantine.discard": Recorded(
        "A study in quarantine was thrown away",
        _STUDY,
        "reason, instances; with two persons the number of the request, who asked",
    ),
    "quarantine.release": Recorded(
        "A study in quarantine was released",
        _STUDY,
        "reason, instances; with two persons the number of the request, who asked",
    ),
    "request.refuse": Recorded(
        "Somebody was refused; each kind once a minute", "route", "the rule of the policy, how often before"
    ),
    "rescore.start": Recorded(
        "Studies are judged again", "job", "which, profile, the identifiers that a tried one asks for"
    ),
    "retention.purge": Recorded("What was older than it is kept was removed", "job", "number, bytes by kind"),
    "rules.time": Recorded("The time of rules is taken on stored studies", "job", ""),
    "ruleset.use": Recorded("The first verdict of a ruleset is in force", "ruleset", "its hash"),
    "service.start": Recorded(
        "A process of the service started",
        "`KIND@HOST`",
        "version, ruleset, profile, names of settings that are others than at its last start",
    ),
    "service.stop": Recorded("A process of the service was stopped", "`KIND@HOST`"),
    "session.begin": Recorded("Somebody logged in", "`user:NAME`", "who at the provider (`sub`), roles, end"),
    "session.end": Recorded(
        "Somebody logged out, or the provider says so", "`user:NAME`", "who at the provider (`sub`), how"
    ),
    "session.refuse": Recorded(
        "A login was refused; each kind once a minute", "route", "the rule that refused, how often before"
    ),
    "spool.write-off": Recorded(
        "Objects in custody whose files are lost were written off", _STUDY, "reason, which objects"
    ),
    "study.own": Recorded("A study got an owner, another one, or none", _STUDY, "who before, who now"),
    "study.pull": Recorded("Somebody asked for a study to be pulled from an archive", _STUDY),
    "study.purge": Recorded("A study that came in wrongly was removed", _STUDY, "reason, how it stood"),
    "study.unread": Recorded("A study could not be read at its archive", _STUDY),
    "study.withdraw": Recorded("A study is gone from its archive", _STUDY),
    "upload.accept": Recorded("An upload was accepted", "location", "SHA-256, size, target, job"),
    "upload.purge": Recorded("An upload that came in wrongly was removed", "location", "reason, studies"),
    "verdict.publish": Recorded("A verdict is in force", _STUDY, "verdict id, revision, readiness"),
    "verdict.reverse": Recorded("A study that was READY is not any more", _STUDY, "revision, readiness"),
    "waiver.give": Recorded("A waiver was given", "waiver", "rule, scope, study, expiry"),
    "waiver.revoke": Recorded("A waiver was revoked", "waiver", "rule, scope, study"),
    "webhook.add": Recorded("A webhook was added", _WEBHOOK),
    "webhook.change": Recorded("A webhook was changed", _WEBHOOK, "the fields"),
    "webhook.pause": Recorded(
        "A webhook is told nothing any more", _WEBHOOK, "why, where nobody asked for it"
    ),
    "webhook.remove": Recorded("A webhook was removed", _WEBHOOK),
    "webhook.resume": Recorded("A webhook is told again", _WEBHOOK),
    "webhook.retry": Recorded("Deliveries that failed were queued again", _WEBHOOK, "how many"),
    "webhook.test": Recorded("A webhook was tried", _WEBHOOK),
}
"""What is recorded of each."""


def table() -> str:
    """The actions as a table in Markdown."""
    lines = ["| action | when | subject | detail |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {one.when} | {one.subject} | {one.detail} |" for name, one in ACTIONS.items()]
    return "\n".join(lines)
