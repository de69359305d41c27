"""What rules propose: one correction at most, for the instances that the evidence is about."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heltig.rules import mending
from heltig.rules.cases import STUDY_UID, evaluate_case
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset
from heltig.rules.profile import Profile
from heltig.rules.proposal import ProposedChange

SERIES = f"{STUDY_UID}.1"


def proposed(rule: str, *instances: dict[str, Any], **case: Any) -> list[ProposedChange]:
    """What a rule proposes for a study, over all its findings."""
    evaluation = evaluate_case(Ruleset([catalogue()[rule]], Profile()), {"study": list(instances), **case})
    assert not evaluation.errors
    return [change for finding in evaluation.findings for change in finding.proposed]


def only(rule: str, *instances: dict[str, Any], **case: Any) -> tuple[Any, ...]:
    """The one change that it proposes: operation, former and new values."""
    (change,) = proposed(rule, *instances, **case)
    return change.operation, change.was, change.becomes


FILES = {"syntax": "explicit"}


@pytest.mark.parametrize(
    ("rule", "instance", "case", "was", "becomes"),
    [
        ("PAT-ID-WHITESPACE", {"PatientID": " A1"}, {}, " A1", "A1"),
        ("PAT-ID-WHITESPACE", {"PatientID": "A1\t"}, {}, "A1\t", "A1"),
        ("PAT-ID-WHITESPACE", {"PatientID": "A1      "}, FILES, "A1      ", "A1"),
        ("CHR-PN-LEAD-SPACE", {"PatientName": " DOE^JOHN= X"}, {}, " DOE^JOHN= X", "DOE^JOHN=X"),
        ("UID-PADDING", {"FrameOfReferenceUID": {"vr": "UI", "bytes": "312E 3220"}}, FILES, "1.2 ", "1.2"),
        ("CHR-TERM", {"SpecificCharacterSet": "UTF-8"}, {}, "UTF-8", "ISO_IR 192"),
        ("CHR-TERM", {"SpecificCharacterSet": "ISO_IR_100"}, {}, "ISO_IR_100", "ISO_IR 100"),
        ("CHR-TERM", {"SpecificCharacterSet": "ISO 8859-1"}, {}, "ISO 8859-1", "ISO_IR 100"),
        ("CHR-REPLACEMENT", {"PatientName": "MÃ¼ller^JÃ¼rgen"}, {}, "MÃ¼ller^JÃ¼rgen", "Müller^Jürgen"),
        ("CHR-CONTROL", {"SeriesDescription": "Axial\r\n"}, {}, "Axial\r\n", "Axial"),
        ("VAL-DA", {"StudyDate": "1997.04.24"}, {}, "1997.04.24", "19970424"),
        ("VAL-DA", {"StudyDate": "1997-04-24"}, {}, "1997-04-24", "19970424"),
        ("VAL-TM-DT", {"StudyTime": "14:04:38"}, {}, "14:04:38", "140438"),
        ("VAL-AS", {"PatientAge": "42Y"}, {}, "42Y", "042Y"),
        ("VAL-CS", {"BodyPartExamined": "chest"}, {}, "chest", "CHEST"),
        ("VAL-IS-DS", {"SliceThickness": "1.5\t"}, {}, "1.5\t", "1.5"),
        ("VAL-IS-DS", {"SliceThickness": "0.50000000000000000"}, {}, "0.50000000000000000", "0.5"),
        ("PAT-SEX-ENUM", {"PatientSex": "female"}, {}, "female", "F"),
        ("PAT-NAME-SHAPE", {"PatientName": "DOE, JANE"}, {}, "DOE, JANE", "DOE^JANE"),
        ("STU-ACCESSION-LEN", {"AccessionNumber": "A1\r"}, {}, "A1\r", "A1"),
    ],
)
def test_a_value_in_a_well_known_wrong_form(
    rule: str, instance: dict[str, Any], case: dict[str, Any], was: str, becomes: str
) -> None:
    assert only(rule, instance, **case) == ("replace", (was,), (becomes,))


@pytest.mark.parametrize(
    ("rule", "instance"),
    [
        ("PAT-ID-WHITESPACE", {"PatientID": "A\t1"}),  # two numbers?
        ("STU-ACCESSION-LEN", {"AccessionNumber": "\0A1"}),  # what was there?
        ("CHR-TERM", {"SpecificCharacterSet": "WINDOWS-1252"}),  # like ISO_IR 100, and not the same
        ("CHR-TERM", {"SpecificCharacterSet": ["UTF-8", "ISO 2022 IR 87"]}),  # allows no other beside it
        ("CHR-REPLACEMENT", {"PatientName": "M?ller^J?rgen"}),
        ("VAL-DA", {"StudyDate": "24.04.1997"}),
        ("VAL-DA", {"StudyDate": "1997.02.30"}),
        ("VAL-AS", {"PatientAge": "42"}),  # years or months
        ("VAL-AS", {"PatientAge": "0Y"}),  # not known, mostly
        ("VAL-CS", {"BodyPartExamined": "brust"}),
        ("VAL-IS-DS", {"SliceThickness": "1,5"}),
        ("VAL-IS-DS", {"SliceThickness": "0.333333333333333333"}),
        ("PAT-SEX-ENUM", {"PatientSex": "W"}),
        ("PAT-NAME-SHAPE", {"PatientName": "DOE, JANE MARY"}),  # Jane Mary, or Jane and a middle name
        ("PAT-NAME-SHAPE", {"PatientName": "DOE JANE, PROF"}),
        ("UID-LEADING-ZERO", {"FrameOfReferenceUID": "1.2.03"}),  # no UID is ever changed
        ("PAT-ID-WHITESPACE", {"PatientID": [" A1", "B\t2"]}),  # one value cannot be put right
    ],
)
def test_where_more_than_one_thing_could_be_meant_nothing_is_proposed(
    rule: str, instance: dict[str, Any]
) -> None:
    evaluation = evaluate_case(Ruleset([catalogue()[rule]], Profile()), {"study": [instance]})
    assert evaluation.findings
    assert not [change for finding in evaluation.findings for change in finding.proposed]


def test_nothing_is_proposed_for_items_of_sequences() -> None:
    item = {"ScheduledProcedureStepStartDate": "1997.04.24"}
    assert not proposed("VAL-DA", {"RequestAttributesSequence": [item]})


NAME = {"vr": "PN", "bytes": "4D C3 BC 6C"}
LATIN = {"vr": "LO", "bytes": "4B F6"}


def test_utf_8_is_declared_where_all_text_beyond_ascii_is_utf_8() -> None:
    assert only("CHR-MISSING", {"PatientName": NAME}, **FILES) == ("add", (), ("ISO_IR 192",))
    declared = {"PatientName": NAME, "SpecificCharacterSet": "ISO_IR 6"}
    assert only("CHR-MISSING", declared, **FILES) == ("replace", ("ISO_IR 6",), ("ISO_IR 192",))
    assert not proposed("CHR-MISSING", {"PatientName": NAME, "StudyDescription": LATIN}, **FILES)
    change = proposed("CHR-MISSING", {"PatientName": NAME}, {"StudyDescription": LATIN}, **FILES)
    assert [one.instances for one in change] == [(f"{SERIES}.1",)]


def test_the_accession_number_of_all_others() -> None:
    one, none = {"PatientID": "P", "AccessionNumber": "A1"}, {"PatientID": "P"}
    assert only("STU-ACCESSION-EMPTY", one, none) == ("add", (), ("A1",))
    assert not proposed("STU-ACCESSION-EMPTY", one, one | {"AccessionNumber": "A2"}, none)
    assert not proposed("STU-ACCESSION-EMPTY", one, none | {"PatientID": "Q"})
    assert not proposed("STU-ACCESSION-EMPTY", none)


@pytest.mark.parametrize(
    ("rule", "instance", "tag"),
    [
        ("PIX-ASPECT", {"PixelAspectRatio": ["1", "1"]}, "00280034"),
        ("INS-QUERY-ATTRS", {"InstanceAvailability": "ONLINE"}, "00080056"),
    ],
)
def test_what_means_nothing_is_removed(rule: str, instance: dict[str, Any], tag: str) -> None:
    (change,) = proposed(rule, instance)
    assert (change.operation, change.tag, change.was, change.becomes) == ("remove", tag, None, ())


def test_an_impossible_aspect_ratio_is_not_removed() -> None:
    assert not proposed("PIX-ASPECT", {"PixelAspectRatio": ["0", "1"]})


def test_whole_series_are_named_as_such_and_other_instances_one_by_one() -> None:
    bad, good = {"PatientID": " A1"}, {"PatientID": "A1"}
    other = {"SeriesInstanceUID": f"{STUDY_UID}.2"}
    (change,) = proposed("PAT-ID-WHITESPACE", bad, good, bad | other, bad | other)
    assert change.series == (f"{STUDY_UID}.2",)
    assert change.instances == (f"{SERIES}.1",)


def test_an_instance_whose_uid_another_one_has_cannot_be_named() -> None:
    twin = {"SOPInstanceUID": "1.2.3"}
    assert not proposed("PAT-ID-WHITESPACE", {"PatientID": " A1"} | twin, {"PatientID": "A1"} | twin)


@pytest.mark.parametrize(
    ("mend", "right"),
    [
        (mending.date, "19970424"),
        (mending.time, "140438.5"),
        (mending.age, "042Y"),
        (mending.decimal, "-1.5e3"),
        (mending.integer, "12"),
        (mending.trimmed, "A 1"),
        (mending.trimmed_name, "DOE^JANE=X"),
        (mending.character_set, "ISO 2022 IR 87"),
        (mending.read_twice, "plain"),
    ],
)
def test_what_is_right_stays(mend: Any, right: str) -> None:
    assert mend(right) == right


def test_text_that_is_utf8_is_not_trimmed_though_its_last_byte_looks_like_a_space() -> None:
    """`SKRÅ` and `Nicolà` in UTF-8, declared as ISO 8859-1: one correction, which keeps the letter."""
    latin = {"SpecificCharacterSet": "ISO_IR 100"}
    description = latin | {"StudyDescription": {"vr": "LO", "bytes": "534B 52C3 85"}}
    assert proposed("CHR-CONTROL", description, **FILES) == []
    assert only("CHR-REPLACEMENT", description, **FILES) == ("replace", ("SKRÃ\x85",), ("SKRÅ",))
    number = latin | {"PatientID": {"vr": "LO", "bytes": "4E69 636F 6CC3 A0"}}
    assert proposed("PAT-ID-WHITESPACE", number, **FILES) == []
    assert only("CHR-REPLACEMENT", number, **FILES) == ("replace", ("NicolÃ\xa0",), ("Nicolà",))


@pytest.mark.parametrize(
    ("text", "is_sure"),
    [
        ("Müller^Jürgen", True),
        ("MÜLLER^JÖRG", True),
        ("Łódzki", True),
        ("Иванов^Иван", True),
        ("Yamada^Tarou=山田^太郎", True),
        ("남궁^길동", True),
        ("홍길동", True),  # nine bytes, and nothing behind them: no letters of two bytes
        ("홍^길동", False),  # `^` could be the second byte of a letter of GBK
        ("あA", False),  # two letters of GBK, the second of which ends in A
        ("CTë", False),  # 毛 in GBK behind a modality
        ("ë^½", False),  # 毛^陆 in GBK
        ("Ƽ^ŵ", False),  # half-width katakana
        ("É", False),
        ("10 µm", False),
        ("山田", False),  # as many bytes as three letters of GBK
    ],
)
def test_unicode_is_declared_where_the_bytes_leave_no_doubt(text: str, is_sure: bool) -> None:
    changes = proposed("CHR-MISSING", {"PatientName": {"vr": "PN", "bytes": text.encode().hex()}}, **FILES)
    assert [change.becomes for change in changes] == ([("ISO_IR 192",)] if is_sure else [])


@pytest.mark.parametrize("name", ["毛^陆", "谢^肖", "莫^毛", "毛"])
@pytest.mark.parametrize("syntax", ["explicit", "json"])
def test_names_in_gbk_that_were_declared_as_latin_are_not_read_as_utf8(name: str, syntax: str) -> None:
    written = name.encode("gbk")
    value = {"vr": "PN", "bytes": written.hex()} if syntax == "explicit" else written.decode("latin-1")
    instance = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": value}
    assert not proposed("CHR-REPLACEMENT", instance, syntax=syntax)


def test_letters_that_the_declared_set_does_not_have_make_the_declaration_wrong() -> None:
    name = {"PatientName": {"vr": "PN", "bytes": "Иванов^Иван".encode().hex()}}
    latin = {"SpecificCharacterSet": "ISO_IR 100"}
    declared = "replace", ("ISO_IR 100",), ("ISO_IR 192",)
    assert only("CHR-REPLACEMENT", name | latin, **FILES) == declared
    assert not proposed("CHR-REPLACEMENT", name | latin | {"StudyDescription": LATIN}, **FILES)
    twice = "Иванов^Иван".encode().decode("latin-1")
    assert not proposed("CHR-REPLACEMENT", latin | {"PatientName": twice})  # who knows what the file declares
    name = {"PatientName": {"vr": "PN", "bytes": twice.encode().hex()}}
    becomes = only("CHR-REPLACEMENT", name | {"SpecificCharacterSet": "ISO_IR 192"}, **FILES)
    assert becomes == ("replace", (twice,), ("Иванов^Иван",))


@pytest.mark.parametrize("name", ["濮红晶", "毛陆", "璩婕"])
def test_names_in_gbk_that_are_valid_utf8_are_not_taken_for_it(name: str) -> None:
    assert not mending.is_surely_utf8(name.encode("gbk"))


@pytest.mark.parametrize(
    "word", ["VAN", "GEB", "REV", "DOKTOR", "NEE", "TWIN", "BABY", "WATER", "FILHO", "JUNIOR"]
)
def test_a_word_behind_a_comma_that_is_no_given_name_is_left_alone(word: str) -> None:
    assert proposed("PAT-NAME-SHAPE", {"PatientName": f"BERG, {word}"}) == []


@example(b"\xe3\x81\x82\x41".decode("gbk"))  # `あA`
@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=6))
def test_names_in_other_sets_are_not_taken_for_unicode(name: str) -> None:
    for codec in ("gbk", "euc_kr", "shift_jis"):
        try:
            written = name.encode(codec)
        except UnicodeEncodeError:
            continue
        assert not mending.is_surely_utf8(written)


def test_a_set_is_proposed_where_all_text_reads_in_it() -> None:
    misspelt = {"SpecificCharacterSet": "UTF-8"}
    latin, unicode = "4DFC 6C6C 6572", "4DC3 BC6C 6C65 72"
    named = misspelt | {"PatientName": {"vr": "PN", "bytes": unicode}, "SOPInstanceUID": "1.2.1"}
    step = {"ScheduledProcedureStepDescription": {"vr": "LO", "bytes": latin}}
    below = misspelt | {"RequestAttributesSequence": [step], "SOPInstanceUID": "1.2.2"}
    (change,) = proposed("CHR-TERM", named, below, **FILES)
    assert change.instances == ("1.2.1",)
