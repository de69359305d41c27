"""The choice of the series of a case, as its order asks for it."""

from collections import Counter

from heltig.errors import ConfigurationError, InputError
from heltig.imaging.order import Order
from heltig.imaging.planes import LEFT_OUT
from heltig.imaging.reading import Survey
from heltig.imaging.refusal import Refused
from heltig.imaging.selection.candidates import Reason
from heltig.imaging.selection.codes import REJECTIONS
from heltig.imaging.selection.policy import Policy, shipped, site_policy
from heltig.imaging.selection.request import Request
from heltig.imaging.selection.selecting import Audit, Selection, select_series


class NotChosen(InputError):
    """No series of the study can be measured.

    Attributes:
        code: One of `heltig.imaging.selection.codes.REJECTIONS`.
        observed: What was seen, in numbers.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"{reason.code}: {REJECTIONS[reason.code]}")
        self.code = reason.code
        self.observed = reason.observed


def choose(order: Order, found: Survey) -> Selection:
    """Choose a stack; it has none where nothing is fit to be measured.

    Raises:
        Refused: `SERIES_NOT_FOUND`.
        ConfigurationError: The site's policy cannot be read.
    """
    series = [one for one in found.series if order.series in (None, one.series_instance_uid)]
    if order.series is not None and not series:
        raise Refused("SERIES_NOT_FOUND")
    request = Request(
        target=order.target,
        slice_metrics=order.slice_metrics,
        modalities=order.modalities,
        region="head" if order.target == "brain" else None,
    )
    return select_series(series, request=request, policy=policy_of(order))


def reason_of(audit: Audit) -> Reason:
    """Why nothing was chosen: the reason that all image series share, else `NO_SERIES`."""
    reasons = [entry.reasons[0] for entry in audit.entries if entry.reasons]
    reasons = [reason for reason in reasons if reason.code not in LEFT_OUT]
    counts = Counter(reason.code for reason in reasons)
    if not counts:
        return Reason("NO_IMAGES")
    if len(counts) == 1:
        return reasons[0]
    return Reason("NO_SERIES", ", ".join(f"{code} {count}" for code, count in sorted(counts.items())))


def policy_of(order: Order) -> Policy:
    """The selection policy that an order asks for.

    Raises:
        ConfigurationError: It cannot be read.
    """
    if order.policy is None:
        return shipped()
    try:
        text = order.policy.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigurationError(
            f"The selection policy cannot be read: {type(problem).__name__}. It is a TOML file in UTF-8."
        ) from None
    return site_policy(text)
