"""The structures that Heltig knows by name, and the codes that DICOM has for them.

Names are those of TotalSegmentator, which most masks of research come with. Codes are SNOMED CT codes of the
context groups of PS3.16: of CID 7150 for categories, CID 247 for the side, others for types. Where PS3.16 has
no code for just this structure, the code is that of what it is a part or a kind of, as *Rib* for the third
one: true, but not enough to find the structure by. `structure_by_code` leaves these out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from heltig.imaging.volume import Code, Structure


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


ANATOMICAL_STRUCTURE: Final = _sct("91723000", "Anatomical Structure")
TISSUE: Final = _sct("85756007", "Tissue")
ABNORMAL_STRUCTURE: Final = _sct("49755003", "Morphologically Abnormal Structure")
LEFT: Final = _sct("7771000", "Left")
RIGHT: Final = _sct("24028007", "Right")

_SIDES: Final = (("left", LEFT), ("right", RIGHT))

_SINGLE: Final = {
    "spleen": ("78961009", "Spleen"),
    "gallbladder": ("28231008", "Gallbladder"),
    "liver": ("10200004", "Liver"),
    "stomach": ("69695003", "Stomach"),
    "pancreas": ("15776009", "Pancreas"),
    "lung_middle_lobe_right": ("72481006", "Middle lobe of right lung"),
    "esophagus": ("32849002", "Esophagus"),
    "trachea": ("44567001", "Trachea"),
    "thyroid_gland": ("69748006", "Thyroid"),
    "small_bowel": ("30315005", "Small intestine"),
    "duodenum": ("38848004", "Duodenum"),
    "colon": ("71854001", "Colon"),
    "urinary_bladder": ("89837001", "Bladder"),
    "prostate": ("41216001", "Prostate"),
    "sacrum": ("54735007", "Sacrum"),
    "heart": ("80891009", "Heart"),
    "aorta": ("15825003", "Aorta"),
    "pulmonary_vein": ("122972007", "Pulmonary vein"),
    "brachiocephalic_trunk": ("12691009", "Innominate artery"),
    "atrial_appendage_left": ("33626005", "Left auricular appendage"),
    "superior_vena_cava": ("48345005", "Superior vena cava"),
    "inferior_vena_cava": ("64131007", "Inferior vena cava"),
    "spinal_cord": ("2748008", "Spinal cord"),
    "brain": ("12738006", "Brain"),
    "skull": ("89546000", "Skull"),
    "sternum": ("56873002", "Sternum"),
    "costal_cartilages": ("50016007", "Costal Cartilage"),
    "skeletal_muscle": ("127954009", "Skeletal muscle"),
    "coronary_arteries": ("41801008", "Coronary artery"),
    "body_trunc": ("22943007", "Trunk"),
    "ulna": ("23416004", "Ulna"),
    "radius": ("62413002", "Radius"),
}
"""Type codes of what there is one of, or of what masks do not tell the sides of."""

_PAIRED: Final = {
    "kidney": ("64033007", "Kidney"),
    "adrenal_gland": ("23451007", "Adrenal gland"),
    "lung": ("39607008", "Lung"),
    "lung_upper_lobe": ("45653009", "Upper lobe of lung"),
    "lung_lower_lobe": ("90572001", "Lower lobe of lung"),
    "subclavian_artery": ("36765005", "Subclavian artery"),
    "common_carotid_artery": ("32062004", "Common carotid artery"),
    "brachiocephalic_vein": ("8887007", "Innominate vein"),
    "iliac_artery": ("73634005", "Common iliac artery"),
    "iliac_vena": ("46027005", "Common iliac vein"),
    "humerus": ("85050009", "Humerus"),
    "scapula": ("79601000", "Scapula"),
    "clavicula": ("51299004", "Clavicle"),
    "femur": ("71341001", "Femur"),
    "hip": ("29836001", "Hip"),
}
"""Type codes of what there are two of; the side is a modifier."""

_VERTEBRAE: Final = {
    **{"C1": "14806007", "C2": "39976000", "C3": "113205007", "C4": "5329002", "C5": "36978003"},
    **{"C6": "36054005", "C7": "87391001", "T1": "64864005", "T2": "53733008", "T3": "1626008"},
    **{"T4": "73071006", "T5": "56401006", "T6": "45296009", "T7": "62487009", "T8": "11068009"},
    **{"T9": "82687006", "T10": "7610001", "T11": "12989004", "T12": "23215003", "L1": "66794005"},
    **{"L2": "14293000", "L3": "36470004", "L4": "11994002", "L5": "49668003"},
}
"""CID 7603."""

_MUSCLES: Final = ("gluteus_maximus", "gluteus_medius", "gluteus_minimus", "autochthon", "iliopsoas")


def _words(key: str) -> str:
    return key.replace("_", " ")


def _anatomical(key: str, code: tuple[str, str], side: Code | None = None) -> Structure:
    return Structure(key, _words(key), ANATOMICAL_STRUCTURE, _sct(*code), side)


def _exact() -> Iterator[Structure]:
    """What PS3.16 has a code of its own for."""
    for key, code in _SINGLE.items():
        yield _anatomical(key, code)
    for key, code in _PAIRED.items():
        yield from (_anatomical(f"{key}_{side}", code, modifier) for side, modifier in _SIDES)
    for level, value in _VERTEBRAE.items():
        yield _anatomical(f"vertebrae_{level}", (value, f"{level} vertebra"))


def _coarse() -> Iterator[Structure]:
    """What is coded as a part or a kind of something."""
    vertebra, muscle, rib = (
        ("51282000", "Vertebra"),
        ("127954009", "Skeletal muscle"),
        ("113197003", "Rib"),
    )
    yield _anatomical("vertebrae_S1", vertebra)
    yield _anatomical("vertebrae_body", vertebra)
    yield _anatomical("vertebrae", vertebra)
    yield _anatomical("intervertebral_discs", ("421060004", "Spine"))
    yield Structure(
        "portal_vein_and_splenic_vein", "portal vein and splenic vein", TISSUE, _sct("29092000", "Vein")
    )
    fat = _sct("55603005", "Fat")
    yield Structure("subcutaneous_fat", "subcutaneous fat", TISSUE, fat)
    yield Structure("torso_fat", "fat of the trunk, not subcutaneous", TISSUE, fat)
    bleeding = _sct("50960005", "Hemorrhage")
    yield Structure("intracerebral_hemorrhage", "intracerebral hemorrhage mask", ABNORMAL_STRUCTURE, bleeding)
    for side, modifier in _SIDES:
        yield from (_anatomical(f"{key}_{side}", muscle, modifier) for key in _MUSCLES)
        yield from (_anatomical(f"rib_{side}_{number}", rib, modifier) for number in range(1, 13))
        cyst = _sct("367643001", "Cyst")
        key = f"kidney_cyst_{side}"
        yield Structure(key, _words(key), ABNORMAL_STRUCTURE, cyst, modifier)


def _table(structures: Iterable[Structure]) -> Mapping[str, Structure]:
    return MappingProxyType({structure.key: structure for structure in structures})


_EXACT: Final = _table(_exact())

STRUCTURES: Final[Mapping[str, Structure]] = MappingProxyType({**_EXACT, **_table(_coarse())})
"""All of them, by key."""

_BY_CODE: Final = {
    (found.type.scheme, found.type.value, found.laterality and found.laterality.value): found
    for found in _EXACT.values()
}


def structure_by_code(type_code: Code, laterality: Code | None = None) -> Structure | None:
    """The structure that a Segmented Property Type (0062,000F) and its modifier mean, if it is one of ours.

    Some writers code the side of structures that have only one: it is left aside there.
    """
    side = laterality.value if laterality else None
    key = (type_code.scheme, type_code.value)
    return _BY_CODE.get((*key, side)) or _BY_CODE.get((*key, None))


def _sided(*names: str, sides: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}_{side}" for name in names for side in sides)


_LEFT_RIGHT: Final = ("left", "right")
_RIGHT_LEFT: Final = ("right", "left")


def _levels(letter: str, count: int) -> tuple[str, ...]:
    """Vertebrae from below upwards."""
    return tuple(f"vertebrae_{letter}{number}" for number in range(count, 0, -1))


_TOTAL: Final = (
    *("spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "pancreas"),
    *_sided("adrenal_gland", sides=_RIGHT_LEFT),
    *("lung_upper_lobe_left", "lung_lower_lobe_left"),
    *("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"),
    *("esophagus", "trachea", "thyroid_gland", "small_bowel", "duodenum", "colon", "urinary_bladder"),
    *("prostate", "kidney_cyst_left", "kidney_cyst_right", "sacrum", "vertebrae_S1"),
    *(*_levels("L", 5), *_levels("T", 12), *_levels("C", 7)),
    *("heart", "aorta", "pulmonary_vein", "brachiocephalic_trunk"),
    *_sided("subclavian_artery", "common_carotid_artery", sides=_RIGHT_LEFT),
    *_sided("brachiocephalic_vein", sides=_LEFT_RIGHT),
    *("atrial_appendage_left", "superior_vena_cava", "inferior_vena_cava", "portal_vein_and_splenic_vein"),
    *_sided("iliac_artery", "iliac_vena", "humerus", "scapula", "clavicula", sides=_LEFT_RIGHT),
    *_sided("femur", "hip", sides=_LEFT_RIGHT),
    "spinal_cord",
    *_sided(*_MUSCLES, sides=_LEFT_RIGHT),
    *("brain", "skull"),
    *(f"rib_{side}_{number}" for side in _LEFT_RIGHT for number in range(1, 13)),
    *("sternum", "costal_cartilages"),
)

_TOTAL_MR: Final = (
    *("spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "pancreas"),
    *_sided("adrenal_gland", sides=_RIGHT_LEFT),
    *("lung_left", "lung_right", "esophagus", "small_bowel", "duodenum", "colon", "urinary_bladder"),
    *("prostate", "sacrum", "vertebrae", "intervertebral_discs", "spinal_cord"),
    *("heart", "aorta", "inferior_vena_cava", "portal_vein_and_splenic_vein"),
    *_sided("iliac_artery", "iliac_vena", "humerus", "scapula", "clavicula", sides=_LEFT_RIGHT),
    *_sided("femur", "hip", *_MUSCLES, sides=_LEFT_RIGHT),
    "brain",
)

TASKS: Final[Mapping[str, Mapping[int, str]]] = MappingProxyType(
    {
        "total": MappingProxyType(dict(enumerate(_TOTAL, 1))),
        "total_mr": MappingProxyType(dict(enumerate(_TOTAL_MR, 1))),
        "tissue_types": MappingProxyType({1: "subcutaneous_fat", 2: "torso_fat", 3: "skeletal_muscle"}),
        "cerebral_bleed": MappingProxyType({1: "intracerebral_hemorrhage"}),
        "vertebrae_body": MappingProxyType({1: "vertebrae_body", 2: "intervertebral_discs"}),
    }
)
"""What the labels of TotalSegmentator's multi-label files mean, by task (version 2)."""
