"""What trying a profile on stored studies would tell of patients.

A dry run says which studies a rule objects to. So who writes the rule, or a threshold, asks all studies at
once what they hold: with an expression for a name, one letter at a time. What the service's own profile and
the shipped ones hold, nobody who tries a profile has written.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from heltig.pipeline.identifiers.masks import SHOWN
from heltig.pipeline.identifiers.redaction import is_harmless
from heltig.pipeline.identifiers.sights import HiddenError, Sight
from heltig.pipeline.identifiers.vocabulary import REDACTED
from heltig.rules.catalogue import catalogue
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile, changed_parameters
from heltig.rules.profile_file import shipped_profile
from heltig.rules.profile_shipped import SHIPPED
from heltig.rules.site_rules import Condition
from heltig.standard.dictionary import tag_of
from heltig.store.jobs import Job

READ_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "placeholder_patient_ids": ("PatientID",),
    "pseudonyms": ("PatientID", "PatientName"),
    "future_days": ("PatientBirthDate",),
    "oldest_patient_years": ("PatientBirthDate",),
    "age_tolerance_years": ("PatientAge", "PatientBirthDate"),
    "series_spread_days": ("SeriesDate",),
    "acquisition_before_study_days": ("AcquisitionDate",),
    "oversize_text_bytes": ("ImageComments", "PatientComments", "TextValue"),  # how long they are
}
"""Parameters that are compared with identifiers, and with which. No mask hides that there is a value."""

_TOLD: Final = SHOWN | {tag_of("Manufacturer"), tag_of("ManufacturerModelName")}
"""Texts and dates that whoever sees studies sees of them."""

_MOST_NAMED: Final = 5


def identifiers_read(profile: Profile, *, own: Profile) -> tuple[str, ...]:
    """The identifiers that a profile asks for, in order, where nobody but its writer decided what it asks.

    Args:
        profile: What somebody tries.
        own: The service's own.
    """
    found = {
        condition.attribute
        for rule in profile.site_rules
        if rule not in own.site_rules
        for condition in (rule.holds, *rule.conditions)
        if _is_of_identifiers(condition)
    }
    for name, value in _values(profile):
        if name in READ_BY and (name, value) not in (*_values(own), *_of_shipped()):
            found.update(READ_BY[name])
    return tuple(sorted(found))


def see_that_it_may_be_tried(profile: Profile, *, own: Profile, sight: Sight) -> tuple[str, ...]:
    """Sees that somebody may try a profile; returns the identifiers that it asks for.

    Args:
        profile: What they try.
        own: The service's own.
        sight: What they see of patients.

    Raises:
        HiddenError: It asks for identifiers, and they do not see these, or nobody does.
    """
    read = identifiers_read(profile, own=own)
    if read and not sight.evidence:
        why = "kept as hashes here" if sight.keyed else "shown to other roles here"
        named = ", ".join(read[:_MOST_NAMED]) + (" and others" if len(read) > _MOST_NAMED else "")
        raise HiddenError(
            f"This profile asks for {named}, in rules of its own or by parameters, and identifiers of "
            f"patients are {why} (HELTIG_IDENTIFIERS): what it finds would tell them. Leave these rules and "
            "parameters out, or have the service started with the profile (HELTIG_PROFILE)."
        )
    return read


def told_job(job: Job, *, own: Profile, sight: Sight) -> Job:
    """A job as somebody may see it: a trial that asks for identifiers without its profile and its result.

    Args:
        job: Any.
        own: The service's own profile.
        sight: What they see of patients.
    """
    text = job.payload.get("profile")
    if sight.evidence or text is None:
        return job
    if not identifiers_read(msgspec.json.decode(text, type=Profile), own=own):
        return job
    return replace(job, payload={**job.payload, "profile": REDACTED}, result=None)


def _is_of_identifiers(condition: Condition) -> bool:
    return not all(tag in _TOLD or is_harmless(tag) for tag in map(tag_of, condition.path))


def _values(profile: Profile) -> Iterator[tuple[str, Any]]:
    """The parameters that a profile sets, for all studies and for some."""
    for name in READ_BY:
        yield name, getattr(profile.parameters, name)
    for exceptions in profile.exceptions:
        changed = changed_parameters(Parameters(), exceptions.parameters)
        yield from ((name, getattr(changed, name)) for name in exceptions.parameters)


@cache
def _of_shipped() -> tuple[tuple[str, Any], ...]:
    return tuple(value for name in SHIPPED for value in _values(shipped_profile(name, known=catalogue())))
