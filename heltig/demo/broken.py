"""How a clean study is broken in one way; each function changes the instances it is given."""

from collections.abc import Callable
from typing import Any

from heltig.demo.attributes import Attributes
from heltig.demo.cast import CR_READER
from heltig.demo.exam import Exam, Series
from heltig.demo.modalities.projection import cr_image

EXAMPLE_ROOT = "1.3.6.1.4.1.32473"
"""A UID root that is nobody's: the enterprise number reserved for documentation (RFC 5612)."""


def with_value(keyword: str, value: Any) -> Callable[[list[Attributes]], None]:
    """Give an attribute another value everywhere."""

    def spoil(instances: list[Attributes]) -> None:
        for instance in instances:
            instance[keyword] = value

    return spoil


def lacking(keyword: str) -> Callable[[list[Attributes]], None]:
    """Leave an attribute out everywhere."""

    def spoil(instances: list[Attributes]) -> None:
        for instance in instances:
            del instance[keyword]

    return spoil


def second_patient_id(instances: list[Attributes]) -> None:
    """The second half was sent under an emergency number."""
    for instance in instances[len(instances) // 2 :]:
        instance["PatientID"] = "E-20817"


def two_images_one_uid(instances: list[Attributes]) -> None:
    """The scanner gave two slices one SOP Instance UID: an archive keeps one of them."""
    instances[7]["SOPInstanceUID"] = instances[6]["SOPInstanceUID"]


def slices_missing(instances: list[Attributes]) -> None:
    """Three slices in the middle of the last series never arrived."""
    del instances[-20:-17]


def localizers_among_slices(instances: list[Attributes]) -> None:
    """The two localizers were filed in the axial series, behind its slices."""
    localizers, slices = instances[:2], instances[2:]
    for number, localizer in enumerate(localizers, start=len(slices) + 1):
        for keyword in ("SeriesInstanceUID", "SeriesNumber", "SeriesTime", "SeriesDescription"):
            localizer[keyword] = slices[0][keyword]
        localizer["InstanceNumber"] = number


def modality_mixed(instances: list[Attributes]) -> None:
    """A few instances of the last series say another modality."""
    for instance in instances[-4:]:
        instance["Modality"] = "CT"


def study_uid_with_letters(instances: list[Attributes]) -> None:
    """A script put a word into the Study Instance UID."""
    with_value("StudyInstanceUID", f"{EXAMPLE_ROOT}.7.STUDY.4711")(instances)


def study_uid_too_long(instances: list[Attributes]) -> None:
    """A Study Instance UID of 70 characters: the end of it will be cut somewhere."""
    uid = f"{EXAMPLE_ROOT}.7.20240506093011123456789.4829104712.88013377012.991"
    with_value("StudyInstanceUID", uid)(instances)


def series_uids_with_leading_zeros(instances: list[Attributes]) -> None:
    """Series Instance UIDs made of the time of day, before ten in the morning."""
    for instance in instances:
        instance["SeriesInstanceUID"] = f"{EXAMPLE_ROOT}.7.20240506.093011.{instance['SeriesNumber']}"


def long_decimals(instances: list[Attributes]) -> None:
    """Positions were written with every digit of a double: DS ends at 16 characters."""
    for instance in instances:
        instance["ImagePositionPatient"] = [f"{mm + 1 / 3:.15f}" for mm in instance["ImagePositionPatient"]]


def private_without_creator(instances: list[Attributes]) -> None:
    """A private element whose block nobody reserved (PS3.5 7.8.1)."""
    for instance in instances:
        instance["00191008"] = {"vr": "LO", "Value": ["KERNEL 17"]}


def double_encoded_name(instances: list[Attributes]) -> None:
    """The name was encoded in UTF-8 twice."""
    for instance in instances:
        instance["PatientName"] = instance["PatientName"].encode().decode("latin-1")


def knee_without_laterality(exam: Exam) -> list[Attributes]:
    """A radiograph of a knee that does not say which one (PS3.3 C.7.3.1: Laterality is type 2C)."""
    series = Series(exam, 1, "CR", CR_READER, "Knee AP", 30, "KNEE")
    return [cr_image(series, 1, view="AP", orientation=["L", "F"])]
