"""The channels of waveforms: can what was recorded, and how, be told from what they say (PS3.3 C.10.9)?"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import Cell, Item
from heltig.rules.items import cell_of, number_of
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Values
from heltig.rules.waveforms import GROUPS, Group, groups_of
from heltig.rules.wording import cut, listed
from heltig.standard.dictionary import tag_of

_SOURCE: Final = "ChannelSourceSequence"
_FACTORS: Final = ("ChannelSensitivity", "ChannelSensitivityCorrectionFactor")
_FILTERS: Final = ("FilterLowFrequency", "FilterHighFrequency")
_MADE_BY: Final = ("ChannelDerivationDescription", *_FILTERS, "NotchFilterFrequency")
"""What tells two recordings of one lead apart, beside the modifiers of its source."""

_OF_ECG: Final = "1.2.840.10008.5.1.4.1.1.9.1."
"""The SOP Classes of electrocardiograms, in which a channel is a lead."""

_UNSPECIFIED: Final = frozenset({("2:0", "MDC"), ("5.6.3-9-0", "SCPECG")})
"""Codes of a lead that nobody names (PS3.16 CID 3001)."""


def _below(keyword: str) -> str:
    """The path of an attribute of a channel."""
    return "/".join(map(tag_of, (GROUPS, "ChannelDefinitionSequence", keyword)))


@rule("WAV-SENSITIVITY", level="instance", severity="review", reads=(GROUPS,), reference="PS3.3 C.10.9")
def sensitivity(at: Values) -> Iterator[Hit]:
    """The sensitivity of a channel is zero.

    Finds: Channels whose ChannelSensitivity (003A,0210) or ChannelSensitivityCorrectionFactor (003A,0212) is
        zero.
    Why: Samples are multiplied by both. Every amplitude is then zero: the curve is flat, or the viewer draws
        it in a size of its own choice.
    Mend: Export the recording again from the system that made it. What a step of its converter is worth is
        known there alone.
    Example: `0` from a converter of another format, in which the sensitivity stands elsewhere.
    """
    for group in groups_of(at[GROUPS]):
        for keyword in _FACTORS:
            channels = [
                number for number, channel in enumerate(group.defined, 1) if number_of(channel, keyword) == 0
            ]
            if channels:
                yield Hit(
                    tags=(_below(keyword),),
                    observed=_channels(group, channels),
                    expected="other than zero",
                )


@rule("WAV-SOURCE-TWICE", level="instance", severity="review", reads=(GROUPS, "SOPClassUID"),
    requires=(GROUPS,), reference="PS3.3 C.10.9")  # fmt: skip
def source_twice(at: Values) -> Iterator[Hit]:
    """Two channels of an ECG are the same lead.

    Finds: Electrocardiograms of which two channels of one multiplex group have the same code in
        ChannelSourceSequence (003A,0208), with the same modifiers, filters and derivation. Leads that nobody
        names, and other kinds of waveform, are left alone.
    Why: One of the two is another lead: it is read as what it is not, and the lead that it is is missed.
    Mend: Export the recording again from the system that made it: only that knows which lead is which.
    Example: Lead I twice and no lead II, after a change of the electrodes' table.
    """
    if not at["SOPClassUID"].text.startswith(_OF_ECG):
        return
    for group in groups_of(at[GROUPS]):
        leads: dict[tuple[object, ...], list[int]] = defaultdict(list)
        names: dict[tuple[object, ...], str] = {}
        for number, channel in enumerate(group.defined, 1):
            source = next(iter(cell_of(channel, _SOURCE).items), None)
            code = _code(source) if source is not None else ("", "")
            if source is not None and code[0] and code not in _UNSPECIFIED:
                lead = (code, _modifiers(channel), *(cell_of(channel, keyword).text for keyword in _MADE_BY))
                leads[lead].append(number)
                names.setdefault(lead, cell_of(source, "CodeMeaning").text or code[0])
        for same, channels in leads.items():
            if len(channels) > 1:
                yield Hit(
                    tags=(_below(_SOURCE),),
                    observed=cut(f"{_channels(group, channels)}: {names[same]}"),
                    expected="a lead of its own for each channel",
                )


def _code(item: Item) -> tuple[str, str]:
    values = (cell_of(item, keyword).text for keyword in ("CodeValue", "LongCodeValue", "URNCodeValue"))
    return next(filter(None, values), ""), cell_of(item, "CodingSchemeDesignator").text


def _modifiers(channel: Item) -> tuple[tuple[str, str], ...]:
    return tuple(map(_code, cell_of(channel, "ChannelSourceModifiersSequence").items))


@rule("WAV-FILTER", level="instance", severity="review", reads=(GROUPS,), reference="PS3.3 C.10.9")
def passband(at: Values) -> Iterator[Hit]:
    """The lower limit of a channel's filter is above the upper one.

    Finds: Channels whose FilterLowFrequency (003A,0220) is above their FilterHighFrequency (003A,0221). An
        upper limit of zero, which stands for none, is left alone.
    Why: Nothing passes such a filter. Whoever judges by the limits what the curve can show, such as its ST
        segment, goes by wrong ones.
    Mend: Export the recording again from the system that made it, or have the two limits changed over where
        it is known that they were mixed up.
    Example: `40` as the lower limit and `0.05` as the upper one.
    """
    for group in groups_of(at[GROUPS]):
        wrong: dict[str, list[int]] = defaultdict(list)
        for number, channel in enumerate(group.defined, 1):
            low, high = (cell_of(channel, keyword) for keyword in _FILTERS)
            if _is_above(low, high):
                wrong[f"{cut(low.shown, 16)} to {cut(high.shown, 16)} Hz"].append(number)
        for limits, channels in wrong.items():
            yield Hit(
                tags=tuple(map(_below, _FILTERS)),
                observed=cut(f"{_channels(group, channels)}: {limits}"),
                expected="a lower limit below the upper one",
            )


def _is_above(low: Cell, high: Cell) -> bool:
    pairs = zip(low.numbers[:1], high.numbers[:1], strict=False)
    return any(least is not None and most is not None and 0 < most < least for least, most in pairs)


def _channels(group: Group, numbers: list[int]) -> str:
    """Channels of a group by their places in it."""
    many = "channels" if len(numbers) > 1 else "channel"
    return f"group {group.number}, {many} {listed([str(number) for number in numbers], 40)}"
