"""The rules about patient, study, series and instance on whatever an archive may send."""

import random
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context

RULES = [rule for rule in catalogue().values() if rule.id[:4] in ("PAT-", "STU-", "SER-", "INS-")]
CONTEXT = Context(date(2026, 1, 1), Parameters(issuer_required=True))
KEYWORDS = sorted(
    {keyword for rule in RULES for keyword in rule.reads} | {"SOPInstanceUID", "StudyInstanceUID"}
)

CLASSES = st.sampled_from(["2", "4", "7", "88.59", "11.1", "4.1", "481.2"]).map(
    "1.2.840.10008.5.1.4.1.1.{}".format
)
WORDS = st.sampled_from(
    [
        *(
            "",
            " ",
            "\t",
            "é",
            "1" * 5000,
            "A1",
            "a1",
            "1",
            "01",
            "-5",
            "1e400",
            "YES",
            "L",
            "KNEE",
            "CT",
            "MR",
        ),
        *("20250301", "20251399", "2025.03.01", "99991231", "00010101", "101500", "045Y", "999Y", "PR"),
        *("Doe^Jane", "^^^^^^", "=", "==="),
    ]
)
SCALARS = st.one_of(WORDS, CLASSES, st.none(), st.integers(), st.floats(), st.booleans())
ELEMENTS = st.one_of(
    st.builds(
        lambda vr, values: {"vr": vr, "Value": values},
        st.sampled_from(["LO", "UI", "DA", "TM", "IS", "DS", "PN", "US", "FD", "SQ", "CS", "UN"]),
        st.one_of(
            SCALARS, st.lists(SCALARS, max_size=3), st.lists(st.fixed_dictionaries({"00080018": SCALARS}))
        ),
    ),
    st.just({"vr": "LO"}),
    st.just({"vr": "OB", "BulkDataURI": "http://a.example/1"}),
    st.just({"vr": "OB", "InlineBinary": "QUJD"}),
)
PLAIN = st.one_of(WORDS, CLASSES).map(lambda text: {"vr": "LO", "Value": [text]})
INSTANCES = st.lists(
    st.dictionaries(st.sampled_from(KEYWORDS), st.one_of(PLAIN, ELEMENTS), max_size=12),
    min_size=1,
    max_size=6,
)


def judged(instances):
    return evaluate(Ruleset(RULES, Profile()), study_of({"study": instances}), CONTEXT)


@settings(max_examples=80, deadline=None)
@given(INSTANCES, st.randoms(use_true_random=False))
def test_no_value_makes_a_rule_fail_to_run_and_the_order_does_not_matter(instances, chance):
    named = [{"SOPInstanceUID": f"1.2.{n}"} | instance for n, instance in enumerate(instances)]
    evaluation = judged(named)
    assert evaluation.errors == ()
    for finding in evaluation.findings:
        assert finding.observed.isprintable()
        assert len(finding.observed) <= 160
        assert finding.count > 0
    shuffled = named.copy()
    chance.shuffle(shuffled)
    assert judged(shuffled).findings == evaluation.findings


def test_a_clean_ct_has_no_finding():
    instances = [
        {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "PatientID": "0002178309",
            "PatientName": "Doe^Jane",
            "PatientBirthDate": "19600115",
            "PatientSex": "F",
            "PatientAge": "065Y",
            "StudyDate": "20250301",
            "StudyTime": "101500",
            "AccessionNumber": "X1",
            "Modality": "CT",
            "SeriesNumber": 2,
            "SeriesDate": "20250301",
            "AcquisitionDate": "20250301",
            "BodyPartExamined": "LUNG",
            "PatientPosition": "HFS",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "InstanceNumber": number,
        }
        for number in random.Random(7).sample(range(1, 81), 80)
    ]
    evaluation = judged(instances)
    assert [(f.rule, f.observed) for f in evaluation.findings] == [("PAT-ISSUER-MISSING", "none")]
    assert evaluation.errors == ()
