"""Limits on what a ZIP may ask of whoever unpacks it."""

import msgspec

_MIB = 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on one input and the ZIPs in it. Files in a folder are the user's own and not limited.

    Attributes:
        members: Members of all ZIPs together.
        nesting: How many ZIPs deep a ZIP may lie inside a ZIP; 0 opens none.
        ratio: Declared size over packed size of one member.
        ratio_floor: Bytes of declared size below which no ratio is a danger: blank images pack very well.
        member_bytes: Declared size of one member.
        total_bytes: Declared sizes of all members together.
        inner_bytes: Declared sizes of all ZIPs inside ZIPs together, which are unpacked to be read.
        directory_bytes: Size of one ZIP's central directory.
    """

    members: int = 200_000
    nesting: int = 2
    ratio: int = 200
    ratio_floor: int = 16 * _MIB
    member_bytes: int = 2048 * _MIB
    total_bytes: int = 256 * 1024 * _MIB
    inner_bytes: int = 16 * 1024 * _MIB
    directory_bytes: int = 64 * _MIB
