"""Waveforms: are there as many samples as a multiplex group says, and can they be read (PS3.3 C.10.9)?"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell, Item
from heltig.rules.items import cell_of
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.value_length import length_of
from heltig.rules.views import Values
from heltig.rules.wording import cut, listed
from heltig.standard.dictionary import tag_of

GROUPS: Final = "WaveformSequence"
_CHANNELS: Final = "ChannelDefinitionSequence"
_ANNOTATIONS: Final = "WaveformAnnotationSequence"

_INTERPRETATIONS: Final = {
    8: ("SB", "UB", "MB", "AB"),
    16: ("SS", "US"),
    32: ("SL", "UL"),
    64: ("SV", "UV"),
}
"""How samples may be read, by the bits that are allocated for one."""

_KNOWN: Final = frozenset(name for names in _INTERPRETATIONS.values() for name in names)


class Group(NamedTuple):
    """A multiplex group; a number is None where none is told.

    Attributes:
        number: Its place in the sequence, from 1 on.
        item: Its item.
        channels: NumberOfWaveformChannels.
        samples: NumberOfWaveformSamples, of each channel.
        bits: WaveformBitsAllocated.
        defined: The items of ChannelDefinitionSequence.
    """

    number: int
    item: Item
    channels: int | None
    samples: int | None
    bits: int | None
    defined: Sequence[Item]


def groups_of(cell: Cell) -> list[Group]:
    """The multiplex groups in a cell of WaveformSequence."""
    return [
        Group(
            number,
            item,
            channels=integer(cell_of(item, "NumberOfWaveformChannels")),
            samples=integer(cell_of(item, "NumberOfWaveformSamples")),
            bits=integer(cell_of(item, "WaveformBitsAllocated")),
            defined=cell_of(item, _CHANNELS).items,
        )
        for number, item in enumerate(cell.items, 1)
    ]


def _below(*keywords: str) -> str:
    """The path of an attribute of a multiplex group."""
    return "/".join(map(tag_of, (GROUPS, *keywords)))


@rule("WAV-DATA", level="instance", severity="review", reads=(GROUPS,), reference="PS3.3 C.10.9")
def data(at: Values) -> Iterator[Hit]:
    """The data of a waveform are not as long as it says.

    Finds: Multiplex groups whose WaveformData (5400,1010) has another length than
        NumberOfWaveformChannels (003A,0005) by NumberOfWaveformSamples (003A,0010) by the bytes of
        WaveformBitsAllocated (5400,1004), filled up to an even number. It can be told where the source shows
        the length: in files, and in metadata that holds the value itself. Absent data are a matter of
        IOD-TYPE1; data that fit another number of channels, or of bits, that the group tells are one of
        WAV-CHANNELS and WAV-BITS.
    Why: Samples are missing, or the description is of another recording. The samples of all channels take
        turns: with a wrong number of channels each curve is made of pieces of all of them.
    Mend: Export the recording again from the system that made it. It must not be cut or filled up by hand.
    Example: An ECG of 10 seconds that a converter cut to 8, with the number of samples left at 5000.
    """
    for group in groups_of(at[GROUPS]):
        length = length_of(cell_of(group.item, "WaveformData"))
        if length is None or not (group.channels and group.samples and group.bits in _INTERPRETATIONS):
            continue
        read = cell_of(group.item, "WaveformSampleInterpretation").text
        sizes = {group.bits, *(size for size, names in _INTERPRETATIONS.items() if read in names)}
        counts = {group.channels, len(group.defined) or group.channels}
        lengths = {count * group.samples * size // 8 for count in counts for size in sizes}
        if not any(length in (whole, whole + whole % 2) for whole in lengths):
            whole = group.channels * group.samples * group.bits // 8
            size = f"{group.channels} channels, {group.samples} samples of {group.bits} bits"
            yield Hit(
                tags=(_below("WaveformData"),),
                observed=cut(f"group {group.number}: {length} bytes"),
                expected=cut(f"{whole + whole % 2} bytes: {size}", 160),
            )


@rule("WAV-CHANNELS", level="instance", severity="review", reads=(GROUPS,), reference="PS3.3 C.10.9")
def channels(at: Values) -> Iterator[Hit]:
    """A waveform does not have the channels or samples that it should.

    Finds: Multiplex groups whose NumberOfWaveformChannels (003A,0005) is not the number of items of
        ChannelDefinitionSequence (003A,0200); groups of no channels or no samples; two channels of a group
        with one WaveformChannelNumber (003A,0202); and a TriggerSamplePosition (0018,106E) beyond
        NumberOfWaveformSamples (003A,0010). A channel without its source is a matter of IOD-TYPE1.
    Why: The definitions say which curve is which lead, in the order of the samples. With one too many or too
        few a viewer shows lead V1 as V2, or refuses the recording.
    Mend: Export the recording again from the system that made it: only that knows which lead is which.
    Example: Twelve channels of which a tool that removes empty items left eleven definitions.
    """
    for group in groups_of(at[GROUPS]):
        where = f"group {group.number}: "
        if group.channels is not None and group.defined and group.channels != len(group.defined):
            yield Hit(
                tags=(_below("NumberOfWaveformChannels"), _below(_CHANNELS)),
                observed=cut(f"{where}{group.channels} channels, {len(group.defined)} defined"),
                expected="a definition for each channel",
            )
        elif group.channels is not None and group.channels < 1:
            yield _too_few(where, "NumberOfWaveformChannels", group.channels)
        if group.samples is not None and group.samples < 1:
            yield _too_few(where, "NumberOfWaveformSamples", group.samples)
        trigger = integer(cell_of(group.item, "TriggerSamplePosition"))
        if trigger is not None and group.samples and trigger > group.samples:
            yield Hit(
                tags=(_below("TriggerSamplePosition"), _below("NumberOfWaveformSamples")),
                observed=cut(f"{where}trigger at sample {trigger} of {group.samples}"),
                expected="a sample of the group",
            )
        numbers = Counter(integer(cell_of(one, "WaveformChannelNumber")) for one in group.defined)
        twice = sorted(number for number, count in numbers.items() if number is not None and count > 1)
        if twice:
            yield Hit(
                tags=(_below(_CHANNELS, "WaveformChannelNumber"),),
                observed=where + listed([f"{number} ({numbers[number]})" for number in twice]),
                expected="a number of its own for each channel",
            )


def _too_few(where: str, keyword: str, number: int) -> Hit:
    return Hit(tags=(_below(keyword),), observed=cut(f"{where}{number}"), expected="one or more")


@rule("WAV-SAMPLING", level="instance", severity="review", reads=(GROUPS,), reference="PS3.3 C.10.9")
def sampling(at: Values) -> Iterator[Hit]:
    """The sampling frequency of a waveform is impossible.

    Finds: Multiplex groups whose SamplingFrequency (003A,001A), in hertz, is zero or negative. Text that is
        no number is a matter of VAL-IS-DS, an absent one of IOD-TYPE1.
    Why: Nobody can tell how long a beat is: rates and intervals come out wrong, or the viewer divides by
        zero.
    Mend: Export the recording again from the system that made it, or have the frequency set by who knows the
        device. Samples and duration tell it where both are known.
    Example: `0` from a converter of scanned strips.
    """
    for group in groups_of(at[GROUPS]):
        cell = cell_of(group.item, "SamplingFrequency")
        if any(number is not None and number <= 0 for number in cell.numbers):
            yield Hit(
                tags=(_below("SamplingFrequency"),),
                observed=f"group {group.number}: {cut(cell.shown)}",
                expected="more than zero",
            )


@rule("WAV-BITS", level="instance", severity="review", reads=(GROUPS,), reference="PS3.3 C.10.9")
def bits(at: Values) -> Iterator[Hit]:
    """The bits of a waveform's samples contradict one another.

    Finds: Multiplex groups whose WaveformBitsAllocated (5400,1004) is not 8, 16, 32 or 64, or is not that of
        their WaveformSampleInterpretation (5400,1006): 8 for SB, UB, MB and AB, 16 for SS and US, 32 for SL
        and UL, 64 for SV and UV; and channels whose WaveformBitsStored (003A,021A) is zero or more than is
        allocated. Another interpretation than these is a matter of IOD-ENUM.
    Why: Programs take two samples for one, or one for two: what they draw is noise.
    Mend: Export the recording again from the system that made it. Where its data are as long as one of the
        two says, that one is right.
    Example: Samples of 16 bits declared as UB by a converter.
    """
    for group in groups_of(at[GROUPS]):
        allocated, where = group.bits, f"group {group.number}: "
        cell = cell_of(group.item, "WaveformSampleInterpretation")
        if allocated is None:
            continue
        if allocated not in _INTERPRETATIONS:
            yield Hit(
                tags=(_below("WaveformBitsAllocated"),),
                observed=cut(f"{where}{allocated} bits"),
                expected=", ".join(map(str, _INTERPRETATIONS)),
            )
        elif cell.text in _KNOWN and cell.text not in _INTERPRETATIONS[allocated]:
            yield Hit(
                tags=(_below("WaveformBitsAllocated"), _below("WaveformSampleInterpretation")),
                observed=f"{where}{allocated} bits as {cell.text}",
                expected=f"{', '.join(_INTERPRETATIONS[allocated])} for {allocated} bits",
            )
        else:
            yield from _stored(group, allocated)


def _stored(group: Group, allocated: int) -> Iterator[Hit]:
    """Channels that store no bits, or more than are allocated."""
    stored = [integer(cell_of(one, "WaveformBitsStored")) for one in group.defined]
    wrong = sorted({number for number in stored if number is not None and not 1 <= number <= allocated})
    if wrong:
        yield Hit(
            tags=(_below(_CHANNELS, "WaveformBitsStored"), _below("WaveformBitsAllocated")),
            observed=f"group {group.number}: {listed(list(map(str, wrong)), 40)} stored of {allocated}",
            expected="from 1 to what is allocated",
        )


@rule("WAV-ANNOTATION", level="instance", severity="review", reads=(_ANNOTATIONS, GROUPS),
    reference="PS3.3 C.10.10")  # fmt: skip
def annotation(at: Values) -> Iterator[Hit]:
    """An annotation of a waveform is about a channel or sample that there is not.

    Finds: Items of WaveformAnnotationSequence (0040,B020) whose ReferencedWaveformChannels (0040,A0B0) name a
        multiplex group that WaveformSequence (5400,0100) does not have, or a channel beyond the
        NumberOfWaveformChannels of the group; and ReferencedSamplePositions (0040,A132) beyond the group's
        samples, where all channels named are of one group. Channel 0 stands for the whole group.
    Why: Viewers draw the mark nowhere, or on another lead; what was measured there cannot be found again.
    Mend: Export the recording again from the system that made it. A tool that takes channels or groups out
        has to change the annotations too.
    Example: The averaged beat was taken out of an ECG, and the marks of its P and T waves were not.
    """
    groups = groups_of(at[GROUPS])
    if not groups:
        return
    wrong: dict[tuple[str, str], None] = {}
    for item in at[_ANNOTATIONS].items:
        numbers = [
            None if number is None else int(number)
            for number in cell_of(item, "ReferencedWaveformChannels").numbers
        ]
        named = list(zip(numbers[::2], numbers[1::2], strict=False))
        for number, channel in named:
            lacking = _lacking(groups, number, channel)
            if lacking:
                wrong.setdefault(("ReferencedWaveformChannels", lacking))
        beyond = _beyond(groups, {number for number, _ in named}, cell_of(item, "ReferencedSamplePositions"))
        if beyond:
            wrong.setdefault(("ReferencedSamplePositions", beyond))
    for keyword, observed in wrong:
        yield Hit(
            tags=(f"{tag_of(_ANNOTATIONS)}/{tag_of(keyword)}",),
            observed=cut(observed),
            expected="a channel and a sample that there is",
        )


def _lacking(groups: Sequence[Group], number: int | None, channel: int | None) -> str:
    """What of a group and its channel, both by number, there is not; empty where both are there."""
    if number is None or channel is None:
        return ""
    if not 1 <= number <= len(groups):
        return f"group {number} of {len(groups)}"
    channels = groups[number - 1].channels
    if channels and not 0 <= channel <= channels:
        return f"channel {channel} of {channels} in group {number}"
    return ""


def _beyond(groups: Sequence[Group], numbers: set[int | None], positions: Cell) -> str:
    """The sample that the group named does not have; empty where there is none, or several are named."""
    number = next(iter(numbers)) if len(numbers) == 1 else None
    if number is None or not 1 <= number <= len(groups):
        return ""
    samples = groups[number - 1].samples
    last = max((position for position in positions.numbers if position is not None), default=0.0)
    return f"sample {last:.15g} of {samples} in group {number}" if samples and last > samples else ""
