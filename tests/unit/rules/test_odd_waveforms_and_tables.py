"""Waveforms, slides, lookup tables and overlays on whatever an archive may send."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.rules import lookup_tables, overlays, slide_tiles, slides, waveform_kinds, waveforms
from heltig.rules.cases import study_of
from heltig.rules.catalogue import rules_of
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context
from heltig.standard.dictionary import lookup, tag_of

MODULES = (lookup_tables, overlays, slides, slide_tiles, waveforms, waveform_kinds)
RULES = [rule for module in MODULES for rule in rules_of(module)]
CONTEXT = Context(date(2026, 1, 1), Parameters())

SCALARS = st.one_of(
    st.integers(-3, 20),
    st.integers(),
    st.floats(),
    st.none(),
    st.sampled_from(["SS", "UB", "TILED_FULL", "1", "-1", "1e400", "9" * 500, "\u0000é"]),
)
ELEMENTS = st.one_of(
    st.builds(
        lambda vr, values: {"vr": vr, "Value": values},
        st.sampled_from(["US", "SS", "UL", "SL", "FL", "DS", "IS", "CS", "OW", "UN", "SQ", "ZZ"]),
        st.lists(SCALARS, max_size=4),
    ),
    st.builds(
        lambda values: {"vr": "US", "Value": values}, st.lists(st.integers(0, 20), min_size=1, max_size=3)
    ),
    st.just({"vr": "OW", "BulkDataURI": "http://a.example/1"}),
    st.sampled_from(["", "QUI=", "QUJD", "////////"]).map(lambda data: {"vr": "OW", "InlineBinary": data}),
)
OF_ITEMS = [
    *("NumberOfWaveformChannels", "NumberOfWaveformSamples", "WaveformBitsAllocated", "WaveformData"),
    *("WaveformSampleInterpretation", "SamplingFrequency", "TriggerSamplePosition", "WaveformBitsStored"),
    *("WaveformChannelNumber", "ReferencedWaveformChannels", "ReferencedSamplePositions"),
    *("LUTDescriptor", "LUTData", "OpticalPathIdentifier", "ColumnPositionInTotalImagePixelMatrix"),
    *("RowPositionInTotalImagePixelMatrix", "BitsStored", "RedPaletteColorLookupTableData"),
]
NESTED = [
    *("ChannelDefinitionSequence", "PlanePositionSlideSequence", "OpticalPathIdentificationSequence"),
    "VOILUTSequence",
]
ITEMS = st.recursive(
    st.dictionaries(st.sampled_from(OF_ITEMS), ELEMENTS, max_size=6),
    lambda inner: st.dictionaries(st.sampled_from(NESTED), st.lists(inner, max_size=3), max_size=2),
    max_leaves=6,
)
READ = {keyword for rule in RULES for keyword in rule.reads} | {
    *("PerFrameFunctionalGroupsSequence", "SegmentSequence", "NumberOfFrames", "DimensionOrganizationType"),
    *("Rows", "Columns", "BitsStored", "PixelRepresentation", "RescaleSlope"),
}
SEQUENCES = sorted(keyword for keyword in READ if (entry := lookup(tag_of(keyword))) and entry.vr == "SQ")
OVERLAYS = [
    f"{group}{element}"
    for group in ("6000", "601E")
    for element in ("0010", "0011", "0015", "0050", "0051", "0100", "0102", "3000")
]
INSTANCES = st.builds(
    lambda sop_class, plain, graphics, nested: {
        "SOPClassUID": f"1.2.840.10008.5.1.4.1.1.{sop_class}",
        **plain,
        **graphics,
        **nested,
    },
    st.sampled_from(["77.1.6", "66.4", "9.1.1", "2"]),
    st.dictionaries(st.sampled_from(sorted(READ - set(SEQUENCES))), ELEMENTS, max_size=12),
    st.dictionaries(st.sampled_from(OVERLAYS), ELEMENTS, max_size=8),
    st.dictionaries(st.sampled_from(SEQUENCES), st.one_of(ELEMENTS, st.lists(ITEMS, max_size=3)), max_size=5),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(INSTANCES, min_size=1, max_size=3))
def test_no_rule_fails_on_odd_values_nor_minds_their_order(instances) -> None:
    instances = [{**one, "SOPInstanceUID": f"1.2.3.{number}"} for number, one in enumerate(instances)]
    found = evaluate(Ruleset(RULES, Profile()), study_of({"study": instances}), CONTEXT)
    assert found.errors == ()
    for finding in found.findings:
        assert finding.observed.isprintable()
        assert len(finding.observed) <= 160
        assert len(finding.expected) <= 160
        assert finding.count > 0
    turned = evaluate(Ruleset(RULES, Profile()), study_of({"study": instances[::-1]}), CONTEXT)
    assert turned.findings == found.findings
