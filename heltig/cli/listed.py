"""The commands of Heltig as its help lists them: where each is, and what it does."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Listed(NamedTuple):
    """A command as `heltig --help` lists it, which must not wait for all that the commands import.

    Attributes:
        where: Its module and its name there.
        does: The first sentence of its help.
    """

    where: str
    does: str


COMMANDS: Final[Mapping[str, Listed]] = {
    "demo": Listed("heltig.demo.command:demo", "See Heltig work, on synthetic studies."),
    "check": Listed(
        "heltig.cli.check:check", "Judge the studies in files, folders and ZIPs, without a server."
    ),
    "serve": Listed(
        "heltig.cli.serve:serve",
        "Answer archives and people: verdicts over DICOMweb and text, pages, uploads.",
    ),
    "worker": Listed(
        "heltig.cli.worker:worker", "Pull and judge studies beside the server, on any number of hosts."
    ),
    "listen": Listed(
        "heltig.cli.listen:listen",
        "Take objects by C-STORE for the gate before ARCHIVE, or for a server elsewhere.",
    ),
    "upload": Listed(
        "heltig.cli.upload:upload", "Have a server judge the studies in files, folders and ZIPs."
    ),
    "pull": Listed("heltig.cli.pull:pull", "Read studies from ARCHIVE, judge them and keep the verdicts."),
    "compare": Listed(
        "heltig.cli.compare:compare",
        "Compare the studies of two archives, as they were pulled: what is where, and what differs.",
    ),
    "archives": Listed(
        "heltig.cli.archives:archives", "Add, list, change, test, pause and remove remote archives."
    ),
    "rescore": Listed(
        "heltig.cli.rescore:rescore_command",
        "Judge stored studies again under the installed ruleset and the profile.",
    ),
    "analyze": Listed("heltig.cli.analyze:analyze", "Measure what is in a READY study."),
    "jobs": Listed("heltig.cli.jobs:jobs", "List jobs, and decide about those that ended badly."),
    "report": Listed("heltig.cli.report:report", "Report what stored verdicts say, and why."),
    "bundle": Listed(
        "heltig.cli.bundle:bundle", "Write the evidence for the verdict on STUDY to FILE, a ZIP."
    ),
    "verify": Listed(
        "heltig.cli.bundle:verify",
        "Check the evidence in BUNDLE, and judge it again by the ruleset installed here.",
    ),
    "quarantine": Listed(
        "heltig.cli.quarantine:quarantine", "List studies that a gate kept back, and decide about them."
    ),
    "comments": Listed(
        "heltig.cli.comments:comments_command",
        "Show the comments on STUDY, a StudyInstanceUID, and who sees to it.",
    ),
    "webhooks": Listed(
        "heltig.cli.webhooks:webhooks",
        "Add, list, change, test, pause and remove webhooks, and see to their deliveries.",
    ),
    "alerts": Listed(
        "heltig.cli.alerts:alerts", "List what those who run the service have to know, the newest first."
    ),
    "purge": Listed(
        "heltig.cli.purge:purge",
        "Remove what is older than the settings HELTIG_KEEP_... say; the service does it once a day.",
    ),
    "backup": Listed(
        "heltig.cli.backup:backup",
        "Write a backup of the database, and of the files that only this server has, to FILE.",
    ),
    "restore": Listed(
        "heltig.cli.restore:restore",
        "Restore the backup FILE into an empty store, of either kind of database.",
    ),
    "keys": Listed("heltig.cli.keys:keys", "Make, list and revoke API keys."),
    "sessions": Listed("heltig.cli.sessions:sessions", "List and end sessions of people who logged in."),
    "audit": Listed("heltig.cli.audit:audit", "Verify the audit trail, export it, change its key."),
    "identifiers": Listed(
        "heltig.cli.identifiers:identifiers",
        "Show how patients' identifiers are kept, and turn them into keyed hashes.",
    ),
    "encryption": Listed(
        "heltig.cli.encryption:encryption",
        "Change the key that evidence is encrypted with, and rewrite what is stored.",
    ),
    "rules": Listed(
        "heltig.cli.rules:rules",
        "List the rules with their severities under a profile; `heltig rules show ID` explains one.",
    ),
    "validate": Listed(
        "heltig.cli.validate:validate", "Judge labelled samples, and write down what was expected and found."
    ),
    "settings": Listed(
        "heltig.cli.settings:settings",
        "Show the settings in force and where each comes from; secrets are masked.",
    ),
    "doctor": Listed(
        "heltig.cli.doctor:doctor",
        "Look whether settings, folder, disk, database, Redis, archives and clocks are as they should be.",
    ),
}
"""The commands, in the order in which help lists them."""
