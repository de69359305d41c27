"""Simple rules of a site without code, from a profile's text to their findings."""

import pickle

import msgspec
import pytest

from heltig.errors import ConfigurationError
from heltig.rules.cases import try_case
from heltig.rules.catalogue import catalogue, family_of
from heltig.rules.profile import DEFAULT, Profile
from heltig.rules.profile_file import parse_profile
from heltig.rules.rule import HEADINGS

HEAD = '[[rule]]\nid = "SITE-X"\ntitle = "Not ours"\nmend = "Mend it."\n'
STEPS = "RequestAttributesSequence.ScheduledProcedureStepID"


def profile_with(text, head=HEAD):
    return parse_profile(head + text, known=catalogue(), name="site.toml")


def rule_with(text):
    (declared,) = profile_with(text).site_rules
    return declared.as_rule()


def out(text, study, outcome, findings=(), **case):
    shown = [
        {"tags": [tag], "observed": observed, "expected": expected, "count": count}
        for tag, observed, expected, count in findings
    ]
    return try_case(rule_with(text), {"outcome": outcome, "study": study, "findings": shown, **case})


ACCESSION, MODALITY, STEP = "00080050", "00080060", "00400275/00400009"


@pytest.mark.parametrize(
    ("text", "study", "outcome", "findings"),
    [
        ("attribute = 'AccessionNumber'\npresent = true", [{"AccessionNumber": ""}], "pass", []),
        (
            "attribute = 'AccessionNumber'\npresent = true",
            [{"Modality": "CT", "times": 2}],
            "fail",
            [(ACCESSION, "absent", "AccessionNumber there", 2)],
        ),
        (
            "attribute = 'AccessionNumber'\nnon_empty = true",
            [{"AccessionNumber": ""}, {"Modality": "CT"}],
            "fail",
            [
                (ACCESSION, "empty", "a value in AccessionNumber", 1),
                (ACCESSION, "absent", "a value in AccessionNumber", 1),
            ],
        ),
        ("attribute = 'AccessionNumber'\nabsent = true", [{"Modality": "CT"}], "pass", []),
        (
            "attribute = 'AccessionNumber'\nabsent = true",
            [{"AccessionNumber": "1"}],
            "fail",
            [(ACCESSION, "1", "no AccessionNumber", 1)],
        ),
        ("attribute = 'Modality'\nequals = 'CT'", [{"Modality": "CT"}], "pass", []),
        ("attribute = 'Modality'\nequals = 'CT'", [{"Modality": "MR"}], "fail", [(MODALITY, "MR", "CT", 1)]),
        ("attribute = 'Modality'\nequals = 'CT'", [{"Modality": ""}], "not_applicable", []),
        (
            "attribute = 'Modality'\none_of = ['CT', 'MR']",
            [{"Modality": "MR"}, {"Modality": "US"}],
            "fail",
            [(MODALITY, "US", "CT or MR", 1)],
        ),
        (
            "attribute = 'ImageType'\none_of = ['ORIGINAL', 'AXIAL']",
            [{"ImageType": ["ORIGINAL", "MPR"]}],
            "fail",
            [("00080008", "MPR", "ORIGINAL or AXIAL", 1)],
        ),
        ("attribute = 'KVP'\none_of = [120, 100.5]", [{"KVP": "1.2e2"}, {"KVP": 100.5}], "pass", []),
        ("attribute = 'AccessionNumber'\nmatches = 'R[0-9]{4}'", [{"AccessionNumber": "R1234"}], "pass", []),
        (
            "attribute = 'AccessionNumber'\nmatches = 'R[0-9]{4}'",
            [{"AccessionNumber": "R12345"}],
            "fail",
            [(ACCESSION, "R12345", "a value like R[0-9]{4}", 1)],
        ),
        (
            "attribute = 'AccessionNumber'\nmax_length = 3",
            [{"AccessionNumber": "1234"}],
            "fail",
            [(ACCESSION, "1234", "3 characters at most", 1)],
        ),
        ("attribute = 'KVP'\nrange = [70, 140]", [{"KVP": "70"}, {"KVP": 140}], "pass", []),
        (
            "attribute = 'KVP'\nrange = [70, 140]",
            [{"KVP": "high"}],
            "fail",
            [("00180060", "high", "a number from 70 to 140", 1)],
        ),
        (
            "attribute = 'StudyDate'\nrange = [20300101, 20400101.5]",
            [{"StudyDate": "20240301"}],
            "fail",
            [("00080020", "20240301", "a number from 20300101 to 20400101.5", 1)],
        ),
        (
            "attribute = 'PixelData'\nabsent = true",
            [
                {"PixelData": {"vr": "OW", "BulkDataURI": "https://pacs.example/1"}},
                {"PixelData": {"vr": "OW"}},
            ],
            "fail",
            [
                ("7FE00010", "there", "no PixelData", 1),
                ("7FE00010", "there, without a value", "no PixelData", 1),
            ],
        ),
        (
            "attribute = 'AccessionNumber'\nnon_empty = true\nmatches = 'R.*'",
            [{"AccessionNumber": "S"}],
            "fail",
            [(ACCESSION, "S", "a value like R.*", 1)],
        ),
        (
            f"attribute = '{STEPS}'\nnon_empty = true",
            [
                {
                    "RequestAttributesSequence": [
                        {"ScheduledProcedureStepID": "1"},
                        {"RequestedProcedureID": "2"},
                    ]
                }
            ],
            "fail",
            [(STEP, "absent", f"a value in {STEPS}", 1)],
        ),
        (
            f"attribute = '{STEPS}'\nnon_empty = true",
            [{"Modality": "CT"}],
            "fail",
            [(STEP, "absent", f"a value in {STEPS}", 1)],
        ),
        (
            f"attribute = '{STEPS}'\nmatches = '[0-9]+'",
            [
                {
                    "RequestAttributesSequence": [
                        {"ScheduledProcedureStepID": "1"},
                        {"ScheduledProcedureStepID": "x"},
                    ]
                }
            ],
            "fail",
            [(STEP, "x", "a value like [0-9]+", 1)],
        ),
        (
            f"attribute = '{STEPS}'\nmatches = '[0-9]+'",
            [{"RequestAttributesSequence": []}],
            "not_applicable",
            [],
        ),
    ],
)
def test_what_must_hold_of_an_instance(text, study, outcome, findings):
    assert out(text, study, outcome, findings) == []


@pytest.mark.parametrize("syntax", ["json", "explicit", "implicit"])
def test_items_are_read_from_every_encoding(syntax):
    study = [{"RequestAttributesSequence": [{"ScheduledProcedureStepID": "x"}]}]
    finding = (STEP, "x", "1 or 2", 1)
    assert out(f"attribute = '{STEPS}'\none_of = ['1', '2']", study, "fail", [finding], syntax=syntax) == []


APPLIES = "attribute = 'AccessionNumber'\nnon_empty = true\n"


@pytest.mark.parametrize(
    ("when", "applies", "does_not"),
    [
        ("modalities = ['ct', 'MR']", {"Modality": "CT"}, {"Modality": "US"}),
        ("when = {attribute = 'Manufacturer', present = true}", {"Manufacturer": ""}, {"Modality": "CT"}),
        ("when = {attribute = 'Manufacturer', absent = true}", {"Modality": "CT"}, {"Manufacturer": "A"}),
        (
            "when = {attribute = 'Manufacturer', non_empty = true}",
            {"Manufacturer": "A"},
            {"Manufacturer": ""},
        ),
        ("when = {attribute = 'Manufacturer', equals = 'A'}", {"Manufacturer": "A"}, {"Manufacturer": "B"}),
        (
            "when = {attribute = 'ImageType', equals = 'MPR'}",
            {"ImageType": ["D", "MPR"]},
            {"ImageType": ["D"]},
        ),
        (
            "when = {attribute = 'Manufacturer', one_of = ['A', 'B']}",
            {"Manufacturer": "B"},
            {"Modality": "CT"},
        ),
        (
            "when = {attribute = 'Manufacturer', matches = 'G.*'}",
            {"Manufacturer": "GE"},
            {"Manufacturer": "SG"},
        ),
        ("when = {attribute = 'KVP', range = [1, 9]}", {"KVP": 9}, {"KVP": 10}),
        (
            "when = [{attribute = 'Modality', equals = 'CT'}, {attribute = 'KVP', equals = 5}]",
            {"Modality": "CT", "KVP": 5},
            {"Modality": "CT", "KVP": 6},
        ),
        (
            f"when = {{attribute = '{STEPS}', equals = 'x'}}",
            {"RequestAttributesSequence": [{"ScheduledProcedureStepID": "x"}]},
            {"RequestAttributesSequence": [{"ScheduledProcedureStepID": "y"}]},
        ),
    ],
)
def test_when_it_applies(when, applies, does_not):
    assert out(APPLIES + when, [does_not], "not_applicable") == []
    finding = (ACCESSION, "absent", "a value in AccessionNumber", 1)
    assert out(APPLIES + when, [applies, does_not], "fail", [finding]) == []


SAME = "attribute = 'StationName'\nsame_in = '{}'\n"
ONE, OTHER = (
    {"StationName": "A", "SeriesInstanceUID": "1.2"},
    {"StationName": "B", "SeriesInstanceUID": "1.3"},
)


def test_one_value_in_a_series_or_study():
    assert out(SAME.format("series"), [ONE, OTHER], "pass") == []
    assert out(SAME.format("series"), [{"Modality": "CT"}], "not_applicable") == []
    finding = ("00081010", "A (2), B (1)", "one StationName in the study", 1)
    assert out(SAME.format("study"), [ONE, ONE, OTHER, {"StationName": ""}], "fail", [finding]) == []
    finding = ("00081010", "A (1), B (1)", "one StationName in the series", 1)
    study = [{"StationName": "A"}, {"StationName": "B"}]
    assert out(SAME.format("series"), study, "fail", [finding]) == []
    assert out(SAME.format("study") + "modalities = ['CT']", study, "not_applicable") == []


def test_what_is_not_shown_is_not_evaluated():
    shows = ["metadata"]
    assert out("attribute = 'AccessionNumber'\nabsent = true", [{}], "not_evaluable", shows=shows) == []
    assert (
        out("attribute = 'AccessionNumber'\nmax_length = 3", [{"AccessionNumber": "1"}], "pass", shows=shows)
        == []
    )
    meta = "attribute = 'TransferSyntaxUID'\nequals = '1.2.840.10008.1.2.1'"
    assert out(meta, [{"TransferSyntaxUID": "1.2"}], "not_evaluable", shows=shows) == []


def test_a_rule_without_code_is_a_rule_like_any_other():
    profile = profile_with(APPLIES + 'modalities = ["CT"]', 'required = ["SITE-X"]\n' + HEAD)
    rule = profile.rules_among(catalogue())["SITE-X"]
    assert family_of(rule) == "Site"
    assert tuple(rule.manual) == HEADINGS
    assert all(rule.manual.values())
    assert rule.manual["Finds"] == (
        "Not ours. What must hold: AccessionNumber has a value, where Modality is CT."
    )
    assert profile.required == {"SITE-X"}
    assert profile.hash != DEFAULT.hash
    assert (
        profile_with(APPLIES + 'modalities = ["MR"]', 'required = ["SITE-X"]\n' + HEAD).hash != profile.hash
    )


def test_a_profile_can_write_a_rule_of_its_base_anew():
    base = HEAD + "attribute = 'Modality'\npresent = true"
    text = 'base = "house.toml"\n' + HEAD + "attribute = 'KVP'\npresent = true"
    profile = parse_profile(
        text, known=catalogue(), name="site.toml", find_file=lambda written, of: (written, base)
    )
    assert [rule.holds.attribute for rule in profile.site_rules] == ["KVP"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "attribute = 'AccesionNumber'\npresent = true",
            "5:1: attribute: there is no keyword AccesionNumber; the nearest one is AccessionNumber",
        ),
        ("attribute = 'Modality.KVP'\npresent = true", "5:1: attribute: Modality is no sequence"),
        ("attribute = 'Modality'", "1:1: nothing must hold: give present, absent, non_empty"),
        ("present = true", "1:1: attribute is missing"),
        ("attribute = 'Modality'\npresent = false", "6:1: present = false says nothing"),
        ("attribute = 'Modality'\nabsent = true\nequals = 'CT'", "6:1: absent stands alone"),
        ("attribute = 'Modality'\nequals = 'CT'\none_of = ['MR']", "7:1: equals and one_of: one of the two"),
        ("attribute = 'Modality'\none_of = []", "6:1: one_of: nothing can be one of none"),
        ("attribute = 'Modality'\nequals = true", "6:1: equals: expected"),
        ("attribute = 'Modality'\nmatches = ''", "6:1: matches is empty"),
        (
            "attribute = 'RequestAttributesSequence'\nequals = 'CT'",
            "6:1: equals: RequestAttributesSequence is a sequence: name an attribute of its items",
        ),
        ("attribute = 'RequestAttributesSequence'\nsame_in = 'study'", "6:1: same_in: RequestAttr"),
        ("attribute = 'PixelData'\nmax_length = 3", "6:1: max_length: PixelData is binary"),
        (
            "attribute = 'KVP'\npresent = true\nwhen = {attribute = 'ProcedureCodeSequence', one_of = [1]}",
            "7:46: one_of: ProcedureCodeSequence is a sequence",
        ),
        (
            "attribute = 'KVP'\npresent = true\nmodalities = ['MRI']",
            "7:15: MRI is no Modality of the standard; the nearest one is MR",
        ),
        ("attribute = 'Modality'\nmatches = '(a'", "6:1: matches: a ( without its )"),
        ("attribute = 'Modality'\nmax_length = -1", "6:1: max_length is negative"),
        ("attribute = 'KVP'\nrange = [2, 1]", "6:1: range: the second number is smaller"),
        ("attribute = 'KVP'\nrange = [1, nan]", "6:1: range: expected a finite number"),
        ("attribute = 'KVP'\nsame_in = 'serie'", "6:1: same_in: serie is none of series, study; the nearest"),
        ("attribute = 'KVP'\nsame_in = 'study'\npresent = true", "6:1: same_in stands alone"),
        ("attribute = 'KVP'\npresent = true\nseverity = 'notes'", "7:1: severity: notes is none of"),
        (
            "attribute = 'KVP'\nmatch = 'a'\npresent = true",
            "6:1: match is no setting of [[rule]]; the nearest",
        ),
        ("attribute = 'KVP'\npresent = true\nwhen = {attribute = 'KVP'}", "7:1: `when` asks for nothing"),
        ("attribute = 'KVP'\npresent = true\nwhen = {absent = true}", "7:1: attribute is missing"),
        (
            "attribute = 'KVP'\npresent = true\nwhen = {attribute = 'KPV', equals = 1}",
            "7:9: attribute: there is no",
        ),
        ("attribute = 'KVP'\npresent = true\nwhy = ' '", "7:1: why is empty"),
        ("attribute = 'Modality'\nequals = ''", "6:1: an empty value is equal to none"),
        ("attribute = 'Modality'\none_of = ['CT', ' ']", "6:17: an empty value is equal to none"),
        ("attribute = 'StationName'\nequals = 'A '", "6:1: 'A ': spaces at the ends of values do not count"),
        ("attribute = 'Modality'\nequals = 'ct'", "6:1: ct is never a value of Modality: CS is written in"),
        ("attribute = 'Modality'\none_of = ['CT', 'M-R']", "6:17: M-R is never a value of Modality: CS has"),
        ("attribute = 'Modality'\nequals = -1", "6:1: -1 is never a value of Modality: CS has no -"),
        ("attribute = 'KVP'\nequals = 'high'", "6:1: high is never a value of KVP: DS is a number"),
        ("attribute = 'Rows'\nequals = '512.5'", "6:1: 512.5 is never a value of Rows: US is a whole number"),
        ("attribute = 'Rows'\none_of = [1, 2.5]", "6:14: 2.5 is never a value of Rows: US is a whole number"),
        ("attribute = 'Rows'\nequals = -1", "6:1: -1 is never a value of Rows: US is never negative"),
        ("attribute = 'SeriesNumber'\nequals = '1a'", "6:1: 1a is never a value of SeriesNumber: IS is a"),
        ("attribute = 'Rows'\nequals = 0x" + "f" * 9_000, "6:1: "),
        (
            "attribute = 'StudyDate'\nequals = '2024-03-01'",
            "6:1: 2024-03-01 is never a value of StudyDate: DA",
        ),
        (
            "attribute = 'PatientAge'\nequals = 45",
            "6:1: 45 is never a value of PatientAge: AS is an age such",
        ),
        (
            "attribute = 'SOPClassUID'\nequals = 'CT'",
            "6:1: CT is never a value of SOPClassUID: UI has no C T",
        ),
        (
            "attribute = 'StationName'\nequals = '12345678901234567'",
            "6:1: 12345678901234567 is never a value",
        ),
        (
            "attribute = 'StationName'\nequals = 'A\\B'",
            "6:1: A\\B is never a value of StationName: a backslash",
        ),
        (
            "attribute = 'KVP'\npresent = true\nwhen = {attribute = 'Modality', equals = 'ct'}",
            "7:33: ct is never a value",
        ),
        ("attribute = 'StationName'\nrange = [1, 2]", "6:1: range: StationName is text (SH), no number; use"),
        ("attribute = 'PatientAge'\nrange = [1, 2]", "6:1: range: PatientAge is text (AS), no number"),
        (
            "attribute = 'KVP'\npresent = true\nwhen = {attribute = 'SOPClassUID', range = [1, 2]}",
            "7:36: range: SOPClassUID is text",
        ),
        (
            "attribute = 'Modality'\nequals = 'MR'\nmodalities = ['CT']",
            "6:1: equals: modalities names none of",
        ),
        ("attribute = 'Modality'\nequals = 'CT'\nmodalities = ['CT']", "6:1: equals: modalities names these"),
        (
            "attribute = 'KVP'\npresent = true\nmodalities = ['CT']\n"
            "when = {attribute = 'Modality', equals = 'MR'}",
            "8:1: when: it asks for another Modality than modalities; it would never apply",
        ),
        (
            "attribute = 'AffectedSOPClassUID'\npresent = true",
            "5:1: attribute: AffectedSOPClassUID is part of",
        ),
        ("attribute = 'ItemDelimitationItem'\nabsent = true", "5:1: attribute: ItemDelimitationItem is part"),
        (
            "attribute = 'KVP'\nequals = 120\nwhen = {attribute = 'KVP', absent = true}",
            "7:28: when: where KVP is absent there is nothing to ask of KVP",
        ),
        (
            f"attribute = '{STEPS}'\nnon_empty = true\n"
            "when = [{attribute = 'KVP', present = true}, "
            "{attribute = 'RequestAttributesSequence', absent = true}]",
            "7:88: when: where RequestAttributesSequence is absent there is nothing to ask of",
        ),
        ("attribute = 'SeriesInstanceUID'\nsame_in = 'series'", "6:1: same_in: a series is what has one"),
        ("attribute = 'StudyInstanceUID'\nsame_in = 'series'", "6:1: same_in: a series is what has one"),
        ("attribute = 'StudyInstanceUID'\nsame_in = 'study'", "6:1: same_in: a study is what has one"),
        (
            "attribute = 'SOPInstanceUID'\nsame_in = 'study'",
            "6:1: same_in: each instance has a SOPInstanceUID",
        ),
        ("attribute = 'StationName'\nmatches = '[[:alnum:]]+'", "6:1: matches: a [ in a class: write A-Z"),
        (
            "attribute = 'KVP'\npresent = true\n" + HEAD + "attribute = 'KVP'\nabsent = true",
            "8:1: there is a rule SITE-X already",
        ),
    ],
)
def test_a_wrong_rule_is_told_where_and_what_is_near(text, told):
    with pytest.raises(ConfigurationError) as refused:
        profile_with(text)
    (problem,) = refused.value.detail.splitlines()
    assert problem.startswith(f"site.toml:{told}")


@pytest.mark.parametrize(
    "text",
    [
        "attribute = 'Rows'\none_of = [512, '256', 1024.0]",
        "attribute = 'SeriesNumber'\nequals = '-1'",
        "attribute = 'SmallestImagePixelValue'\nequals = -5",  # US or SS
        "attribute = 'KVP'\nequals = '1.2e2'",
        "attribute = 'StudyDate'\none_of = [20240301, '20240302']",
        "attribute = 'StudyTime'\none_of = [91500, '0915']",
        "attribute = 'StudyTime'\nrange = [70000, 190000]",
        "attribute = 'Laterality'\none_of = ['L', 'R']",
        "attribute = 'AcquisitionNumber'\nequals = 3.0",
        "attribute = 'StationName'\none_of = ['ct 1', 7]",
        "attribute = 'SOPClassUID'\nequals = '1.2.840.10008.5.1.4.1.1.2'",
        "attribute = 'PatientName'\nequals = 'Müller^Änne=漢字'",
        "attribute = 'TransferSyntaxUID'\npresent = true",
        "attribute = 'Modality'\nequals = 'CT'\nmodalities = ['CT', 'PT']",
        "attribute = 'SeriesInstanceUID'\nsame_in = 'study'",
        "attribute = 'KVP'\nequals = 1\nwhen = {attribute = 'Rows', absent = true}",
    ],
)
def test_what_some_study_could_answer_is_asked(text):
    assert rule_with(text)


@pytest.mark.parametrize("id", ["PAT-ID-EMPTY", "SITE-", "SITE-x", "SITE-A--B", "", r"SITE-A\n", " SITE-A"])
def test_an_id_is_of_the_site_and_of_capitals(id):
    head = HEAD.replace("SITE-X", id)
    with pytest.raises(ConfigurationError, match=r"site\.toml:2:1: id"):
        profile_with("attribute = 'KVP'\npresent = true", head)


@pytest.mark.parametrize(
    "text",
    [
        "attribute = 'Modality'\nequals = 'CT'",
        "attribute = 'KVP'\nrange = [1.5, 2]\nwhen = {attribute = 'SliceThickness', one_of = [1, 2.5]}",
        "attribute = 'KVP'\nsame_in = 'study'\nmodalities = ['CT']\nwhy = 'x'\nexample = 'y'",
        f"attribute = '{STEPS}'\nmatches = 'a+'\nmax_length = 3",
    ],
)
def test_the_hash_is_the_same_in_every_process(text):
    """A profile is pickled on its way to the processes that judge."""
    profile = profile_with(text)
    travelled = pickle.loads(pickle.dumps(profile))  # noqa: S301  # its own
    assert (travelled, travelled.hash) == (profile, profile.hash)
    told = msgspec.json.decode(profile.text, type=Profile)
    assert (told, told.hash) == (profile, profile.hash)
