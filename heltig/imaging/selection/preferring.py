"""What kernels, windows and MR sequences say about what a series is made for."""

from collections.abc import Iterator
from typing import NamedTuple

from heltig.imaging.selection.candidates import Candidate
from heltig.imaging.selection.policy import Policy, Range
from heltig.imaging.selection.words import folded, is_like, matching, tokens
from heltig.imaging.volume import Technique


class Preference(NamedTuple):
    """How well a reconstruction fits soft tissue.

    Attributes:
        score: Of each hint -1 if it speaks for it, 1 if against.
        hints: What it was read from, in words of the policy.
    """

    score: int
    hints: tuple[str, ...]


def preference_of(candidate: Candidate, policy: Policy) -> Preference:
    """Count what speaks for and against a reconstruction by kernel, description and window.

    A kernel that its manufacturer is known to use is read as a whole: Canon's BODY_SHARP is no sharp kernel.
    Of the rest each hint counts once, however often and wherever its words stand.
    """
    found = dict(_by_kernel(candidate.technique, policy))
    found |= dict(_by_window(candidate.window, policy))
    return Preference(sum(found.values()), tuple(sorted(found)))


def sequence_rank(technique: Technique, policy: Policy) -> int:
    """How well an MR sequence fits a brain: 0 is 3-D T1, 1 is T1, 2 says nothing, 3 is another one."""
    sequences, words = policy.sequences, _sequence_words(technique)
    in_space = (technique.mr_acquisition_type or "").strip().upper() == "3D"
    if is_other_sequence(technique, policy):
        return 3
    if matching(sequences.t1, words):
        return 0 if in_space else 1
    sequence = tokens(technique.scanning_sequence or "")
    echo = technique.echo_time
    short = echo is not None and echo <= sequences.gradient_echo_most_te_ms
    return 0 if in_space and short and "gr" in sequence and "ep" not in sequence else 2


def is_t1_weighted(technique: Technique, policy: Policy) -> bool:
    """By its names, or as a 3-D gradient echo, an MR sequence is T1-weighted."""
    return technique.modality == "MR" and sequence_rank(technique, policy) in (0, 1)


def is_other_sequence(technique: Technique, policy: Policy) -> bool:
    """By its names an MR sequence is not T1-weighted."""
    return matching(policy.sequences.other, _sequence_words(technique)) is not None


def _sequence_words(technique: Technique) -> tuple[str, ...]:
    """Of the protocol only where there is no description: of some makers it names the whole examination."""
    named = technique.series_description or technique.protocol or ""
    return (*tokens(named), *tokens(technique.sequence_name or ""))


def _by_kernel(technique: Technique, policy: Policy) -> Iterator[tuple[str, int]]:
    kernels = policy.kernels
    maker = tokens(technique.manufacturer or "")
    own = [one for one in kernels.makers if matching(one.words, maker)]
    preferred = [hint for one in own for hint in one.preferred]
    avoided = [hint for one in own for hint in one.avoided]
    words = list(tokens(technique.series_description or ""))
    known = set()
    for value in (technique.kernel or "").split("\\"):
        good, bad = is_like(preferred, value), is_like(avoided, value)
        if good or bad:
            known.add(folded(value).strip())
            yield good or bad or "", -1 if good else 1
        else:
            words += tokens(value)
    for word in sorted(set(words) - known):
        good, bad = matching(kernels.preferred, (word,)), matching(kernels.avoided, (word,))
        if good or bad:
            yield good or bad or "", -1 if good else 1


def _by_window(window: tuple[float, float] | None, policy: Policy) -> Iterator[tuple[str, int]]:
    windows = policy.windows
    if window is None:
        return
    center, width = window
    if _within(center, windows.soft_center) and _within(width, windows.soft_width):
        yield "window of soft tissue", -1
    if _within(center, windows.lung_center) and _within(width, windows.lung_width):
        yield "window of lung", 1


def _within(value: float, limits: Range) -> bool:
    return limits[0] <= value <= limits[1]
