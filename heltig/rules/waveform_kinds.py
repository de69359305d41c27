"""Waveforms: has each kind the groups, channels and frequencies that it may have (PS3.3 A.34)?"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from heltig.dicom.cell import Item
from heltig.rules.items import cell_of
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.waveforms import GROUPS, groups_of
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of


class _Kind(NamedTuple):
    """What a kind of waveform may have.

    Attributes:
        name: Its name.
        groups: Multiplex groups at most.
        channels: Channels of a group at most.
        all_channels: Channels of all groups together at most.
        lowest: The lowest sampling frequency in hertz.
        highest: The highest one.
    """

    name: str
    groups: int
    channels: int
    all_channels: int
    lowest: float
    highest: float


_KINDS: Final = {
    "1.2.840.10008.5.1.4.1.1.9.1.1": _Kind("12-lead ECG", 5, 13, 13, 200, 1000),  # A.34.3.4
    "1.2.840.10008.5.1.4.1.1.9.1.2": _Kind("general ECG", 4, 24, 4 * 24, 200, 1000),  # A.34.4.4
    "1.2.840.10008.5.1.4.1.1.9.2.1": _Kind("hemodynamic waveform", 4, 8, 4 * 8, 0, 400),  # A.34.6.4
    "1.2.840.10008.5.1.4.1.1.9.4.1": _Kind("basic voice audio", 1, 2, 2, 8000, 8000),  # A.34.2.4
}
"""By SOP Class UID."""


@rule("WAV-KIND", level="study", severity="note", reads=(GROUPS,), reference="PS3.3 A.34")
def kind(study: StudyView) -> Iterator[Hit]:
    """A waveform has more groups or channels, or another frequency, than its kind may have.

    Finds: Of 12-lead ECG more than 5 multiplex groups or 13 channels in all, of general ECG more than 4
        groups or 24 channels in one, of hemodynamic waveforms more than 4 groups or 8 channels in one, of
        basic voice audio more than 1 group or 2 channels; and a SamplingFrequency (003A,001A) other than 200
        to 1000 hertz of these ECG, up to 400 of hemodynamic waveforms, 8000 of voice. Zero and negative ones
        are a matter of WAV-SAMPLING.
    Why: Programs that go by the standard's limits for this kind drop channels or refuse the recording.
    Mend: Nothing needs to be done before the study is moved, where the target takes such recordings. The
        maker of the system can write them as another kind: general ECG has more channels than 12-lead ECG.
    Example: A 12-lead ECG with its averaged beat: 24 channels in two groups.
    """
    for (sop_class, waveform), rows in study.alike("SOPClassUID", GROUPS):
        limits = _KINDS.get(sop_class.text)
        if limits is None:
            continue
        groups = groups_of(waveform)
        counts = [group.channels or 0 for group in groups]
        channels = f"{tag_of(GROUPS)}/{tag_of('NumberOfWaveformChannels')}"
        if len(groups) > limits.groups:
            yield _beyond(GROUPS, f"{len(groups)} groups in {limits.name}", f"{limits.groups} or less", rows)
        if sum(counts) > limits.all_channels:
            observed = f"{sum(counts)} channels in {limits.name}"
            yield _beyond(channels, observed, f"{limits.all_channels} or less", rows)
        elif max(counts, default=0) > limits.channels:
            observed = f"{max(counts)} channels in a group of {limits.name}"
            yield _beyond(channels, observed, f"{limits.channels} or less", rows)
        for frequency in sorted({hertz for group in groups for hertz in _frequencies(group.item)}):
            if not limits.lowest <= frequency <= limits.highest:
                wanted = f"{limits.lowest:g} to {limits.highest:g} Hz"
                tag = f"{tag_of(GROUPS)}/{tag_of('SamplingFrequency')}"
                yield _beyond(tag, f"{frequency:.7g} Hz in {limits.name}", wanted, rows)


def _frequencies(item: Item) -> Iterator[float]:
    """The sampling frequency of a group, where it is possible at all."""
    for number in cell_of(item, "SamplingFrequency").numbers:
        if number is not None and number > 0:
            yield number


def _beyond(tag: str, observed: str, expected: str, rows: list[int]) -> Hit:
    return Hit(tags=(tag,), observed=cut(observed), expected=expected, rows=rows)
