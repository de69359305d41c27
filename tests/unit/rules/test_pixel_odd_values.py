"""The rules about encoding and pixels on whatever an archive or a file may hold."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context

RULES = [rule for rule in catalogue().values() if rule.id.startswith(("ENC-", "PIX-"))]
CONTEXT = Context(date(2026, 1, 1), Parameters(accepted_transfer_syntaxes=("1.2.3",), oversize_text_bytes=20))
MORE = {
    "ImageOrientationPatient",
    "ImageType",
    "Modality",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "ImageComments",
}
KEYWORDS = sorted({keyword for rule in RULES for keyword in rule.reads} | MORE)

CLASSES = st.sampled_from(["2", "4", "7", "128", "481.2", "2.1", "30"]).map(
    "1.2.840.10008.5.1.4.1.1.{}".format
)
SYNTAXES = st.sampled_from(["", ".1", ".2", ".4.50", ".4.90", ".5"]).map("1.2.840.10008.1.2{}".format)
WORDS = st.sampled_from(
    [
        *("", " ", "\t", "é", "1" * 500, "0", "1", "2", "-1", "0.5", "1e400", "8", "16", "1\\0\\0\\0\\1\\0"),
        *("PT", "CT", "BQML", "01", "MONOCHROME2", "PALETTE COLOR", "YBR_FULL_422", "YBR_RCT", "SIGMOID"),
        *("00181063", "00181065", "3004000C", "LOCALIZER", "US", "HU"),
    ]
)
SCALARS = st.one_of(WORDS, CLASSES, SYNTAXES, st.none(), st.integers(), st.floats(), st.booleans())
ELEMENTS = st.one_of(
    st.builds(
        lambda vr, values: {"vr": vr, "Value": values},
        st.sampled_from(["LO", "UI", "AT", "IS", "DS", "US", "SS", "FD", "SQ", "CS", "UN", "LT", "ZZ"]),
        st.one_of(
            SCALARS, st.lists(SCALARS, max_size=6), st.lists(st.fixed_dictionaries({"00281051": SCALARS}))
        ),
    ),
    st.just({"vr": "LO"}),
    st.just({"vr": "OW", "BulkDataURI": "http://a.example/1"}),
    st.just({"vr": "OB", "InlineBinary": "QUJD"}),
)
PLAIN = st.one_of(WORDS, CLASSES, SYNTAXES).map(lambda text: {"vr": "LO", "Value": [text]})
NUMBERS = st.integers(0, 300).map(lambda number: {"vr": "US", "Value": [number]})
INSTANCES = st.lists(
    st.dictionaries(st.sampled_from(KEYWORDS), st.one_of(PLAIN, NUMBERS, ELEMENTS), max_size=14),
    min_size=1,
    max_size=6,
)
FIELDS = st.builds(
    lambda vr, data: {"vr": vr, "bytes": data.hex()},
    st.sampled_from(["US", "UI", "DS", "IS", "CS", "SQ", "OW", "OB", "AT", "LT", "UN"]),
    st.one_of(st.binary(max_size=12), WORDS.map(lambda text: text.encode("latin-1"))),
)
FILES = st.lists(st.dictionaries(st.sampled_from(KEYWORDS), FIELDS, max_size=14), min_size=1, max_size=4)


def judged(instances, syntax="json"):
    study = study_of({"study": instances, "syntax": syntax})
    return evaluate(Ruleset(RULES, Profile()), study, CONTEXT)


def check(evaluation):
    assert evaluation.errors == ()
    for finding in evaluation.findings:
        assert finding.observed.isprintable()
        assert len(finding.observed) <= 200
        assert finding.count > 0


@settings(max_examples=80, deadline=None)
@given(INSTANCES, st.randoms(use_true_random=False))
def test_no_value_makes_a_rule_fail_to_run_and_the_order_does_not_matter(instances, chance):
    named = [{"SOPInstanceUID": f"1.2.{n}"} | instance for n, instance in enumerate(instances)]
    evaluation = judged(named)
    check(evaluation)
    shuffled = named.copy()
    chance.shuffle(shuffled)
    assert judged(shuffled).findings == evaluation.findings


@settings(max_examples=80, deadline=None)
@given(FILES, st.sampled_from(["explicit", "implicit"]))
def test_no_bytes_make_a_rule_fail_to_run(instances, syntax):
    check(judged(instances, syntax))


def test_a_clean_ct_has_no_finding():
    instances = [
        {
            "TransferSyntaxUID": "1.2.840.10008.1.2.1",
            "MediaStorageSOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "MediaStorageSOPInstanceUID": f"1.2.{number}",
            "ImplementationClassUID": "1.2.9",
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "SOPInstanceUID": f"1.2.{number}",
            "Modality": "CT",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "Rows": 512,
            "Columns": 512,
            "BitsAllocated": 16,
            "BitsStored": 12,
            "HighBit": 11,
            "PixelRepresentation": 0,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "RescaleType": "HU",
            "WindowCenter": 40 + number,
            "WindowWidth": 400 + number,
            "PixelData": {"vr": "OW", "BulkDataURI": f"http://a.example/{number}"},
        }
        for number in range(1, 61)
    ]
    parameters = Parameters()
    evaluation = evaluate(
        Ruleset(RULES, Profile()), study_of({"study": instances}), Context(date(2026, 1, 1), parameters)
    )
    assert evaluation.findings == ()
    assert evaluation.errors == ()
