"""What associations are accepted for: storage of objects of patients, verification, storage commitment.

A standard SOP Class is known by the standard's list of UIDs, one of a newer edition by its root. Of a private
one nothing but the sender can say what it is for: by SOP Class Common Extended Negotiation (PS3.7 D.3.3.6).
Where it says nothing, it is taken for storage, since that is what nearly all private classes are for. In such
a context only C-STORE is served.
"""

from typing import Any, Final

from pynetdicom import acse
from pynetdicom.association import Association
from pynetdicom.presentation import negotiate_as_acceptor, negotiate_unrestricted
from pynetdicom.sop_class import _NON_PATIENT_OBJECT_CLASSES

from heltig.standard.uids import lookup

STORAGE_SERVICE: Final = "1.2.840.10008.4.2"
"""The Storage Service Class (PS3.4 B)."""

_STANDARD: Final = "1.2.840.10008."
_STORAGE_ROOT: Final = "1.2.840.10008.5.1.4.1.1."
"""Below it are nearly all storage SOP Classes, and those of query and retrieval at levels `2` and `201`."""

_OF_NO_PATIENT: Final = frozenset(_NON_PATIENT_OBJECT_CLASSES.values())
"""Objects without a study (PS3.4 GG), such as hanging protocols: no gate can name them."""


def is_storage(sop_class_uid: str) -> bool:
    """Whether objects of a SOP Class are stored by C-STORE, and belong to studies."""
    if not sop_class_uid.startswith(_STANDARD):
        return True
    entry = lookup(sop_class_uid)
    if entry is None:
        return sop_class_uid.startswith(_STORAGE_ROOT)
    is_composite = entry.kind == "SOP Class" and sop_class_uid.startswith(f"{_STANDARD}5.")
    return is_composite and "Storage" in entry.name and sop_class_uid not in _OF_NO_PATIENT


def note_services(association: Association) -> None:
    """Notes which proposed classes are of another service than storage; called when it is requested."""
    said = association.requestor.sop_class_common_extended
    asked: Any = association.requestor.primitive
    for context in asked.presentation_context_definition_list:
        item = said.get(context.abstract_syntax)
        context.is_other_service = item is not None and str(item.service_class_uid) != STORAGE_SERVICE


def _negotiate(proposed: list[Any], supported: list[Any], roles: Any = None) -> Any:
    """Accepts every context for storage, and of the others those that are supported."""
    storage = [
        context
        for context in proposed
        if is_storage(context.abstract_syntax) and not getattr(context, "is_other_service", False)
    ]
    others = [context for context in proposed if context not in storage]
    accepted, accepted_roles = negotiate_unrestricted(storage, supported, roles)
    answered, answered_roles = negotiate_as_acceptor(others, supported, roles)
    return (
        sorted([*accepted, *answered], key=lambda context: context.context_id or 0),
        sorted([*accepted_roles, *answered_roles], key=lambda role: str(role.sop_class_uid)),
    )


# The library's own takes every class that it has no name for, those of other services too.
setattr(acse, "negotiate_unrestricted", _negotiate)  # noqa: B010 (mypy refuses an assignment)
