"""Profiles as files: what they are built on, and what is told of wrong ones."""

import time
import tomllib
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.errors import ConfigurationError
from heltig.rules.catalogue import catalogue
from heltig.rules.profile import DEFAULT
from heltig.rules.profile_file import parse_profile, shipped_profile
from heltig.rules.profile_positions import positions
from heltig.rules.profile_shipped import SHIPPED, shipped_text, summary
from heltig.rules.profile_tables import MOST_PROBLEMS

RULES = list(catalogue())


def parse(text, files=None, name="site.toml"):
    def find(base, of):
        if base not in (files or {}):
            raise ConfigurationError(f"the profile {base} cannot be read: no such file")
        return base, files[base]

    return parse_profile(text, known=RULES, name=name, find_file=find)


def problems(text, files=None):
    with pytest.raises(ConfigurationError) as refused:
        parse(text, files)
    return refused.value.detail.splitlines()


def test_a_profile_adds_to_its_base_and_takes_back():
    files = {
        "house.toml": 'base = "middle.toml"\non = ["GEO-SHEAR"]\noptional = ["SRC-QIDO-COUNT"]\n'
        '[parameters]\nfuture_days = 5\n[severity]\n"UID-ROOT" = "block"',
        "middle.toml": 'off = ["GEO-SHEAR", "GEO-ORDER"]\nrequired = ["SRC-QIDO-COUNT", "SRC-UID-ECHO"]\n'
        '[parameters]\nfuture_days = 4\nsparse_siblings = 9\n[severity]\n"UID-ROOT" = "note"\n'
        '"UID-2.25" = "review"\n[[for]]\nmodalities = ["CT"]\noff = ["UID-ROOT"]',
    }
    profile = parse('base = "house.toml"\noff = ["PAT-SPECIES"]', files)
    assert profile.name == "site"
    assert profile.off == {"GEO-ORDER", "PAT-SPECIES"}
    assert profile.required == {"SRC-UID-ECHO"}
    assert profile.severity_of == {"UID-ROOT": "block", "UID-2.25": "review"}
    assert (profile.parameters.future_days, profile.parameters.sparse_siblings) == (5, 9)
    assert len(profile.exceptions) == 1


def test_a_shipped_profile_is_built_on_by_its_name():
    built = parse('name = "migration"\nbase = "migration"')
    assert built == shipped_profile("migration", known=RULES)


def test_a_form_with_stars_stands_for_the_rules_it_is_like():
    profile = parse(
        'off = ["GEO-*"]\n[severity]\n"UID-ROOT" = "block"\n"UID-*" = "note"\n"*-TOO-*" = "review"'
    )
    assert profile.off == {rule for rule in RULES if rule.startswith("GEO-")}
    assert profile.severity_of["UID-ROOT"] == "block"  # its own name counts before forms
    assert profile.severity_of["UID-CHARS"] == "note"
    assert profile.severity_of["UID-TOO-LONG"] == "review"  # of two forms the later


def test_a_sop_class_is_named_by_keyword_or_uid():
    profile = parse('[[for]]\nsop_classes = ["CTImageStorage", "1.2.3"]\noff = ["UID-ROOT"]')
    assert profile.exceptions[0].sop_classes == ("1.2.840.10008.5.1.4.1.1.2", "1.2.3")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = ", "site.toml:1:5: not TOML: Invalid value"),
        ('a = "\nb = 1', "site.toml:1:6: not TOML: Illegal character"),
        ("\n unknwn = 1", "site.toml:2:2: unknwn is no setting of a profile"),
        ("requird = []", "site.toml:1:1: requird is no setting of a profile; the nearest one is required"),
        ('off = [\n  "PAT-ID-EMPTY",\n  "pat-id-conflict",\n]',
         "site.toml:3:3: there is no rule pat-id-conflict; the nearest one is PAT-ID-CONFLICT"),
        ('off = ["Q*Q"]', "site.toml:1:8: no rule is like Q*Q; `heltig rules` lists them"),
        ('off = "PAT-ID-EMPTY"', "site.toml:1:1: off: expected `array`, got `str`"),
        ('off = ["UID-ROOT"]\non = ["UID-*"]', "site.toml:2:1: UID-ROOT is named by both off and on"),
        ('[[for]]\nmodalities = ["CT"]\nrequired = ["UID-ROTT"]',
         "site.toml:3:13: there is no rule UID-ROTT; the nearest one is UID-ROOT"),
        ('[[for]]\noff = ["UID-ROOT"]', "site.toml:1:1: [[for]] names no study: give archives, modalities, "
         "sop_classes or manufacturers"),
        ('[for]\nmodality = ["CT"]\narchives = ["a"]',
         "site.toml:2:1: modality is no setting of [[for]]; the nearest one is modalities"),
        ('[[for]]\nsop_classes = ["CTImageStorag"]', "site.toml:2:16: CTImageStorag is no UID and no keyword "
         "of a SOP Class; the nearest one is CTImageStorage"),
        ("[parameters]\nage_tolerance_years = 'two'",
         "site.toml:2:1: age_tolerance_years: expected `int`, got `str`"),
        ("[parameters]\nage_tolerance_year = 2", "site.toml:2:1: age_tolerance_year is no parameter; "
         "the nearest one is age_tolerance_years"),
        ("[parameters]\nslice_distance_mm = inf",
         "site.toml:2:1: slice_distance_mm: expected a finite number"),
        ("[parameters]\nfuture_days = -1", "site.toml:2:1: future_days: expected `int` >= 0"),
        ('parameters = {targets = ["aws", "orthank"]}', "site.toml:1:33: targets: orthank is none of "
         "aws, azure, dcm4chee, google, orthanc; the nearest one is orthanc"),
        ('parameters = {accepted_sop_classes = ["nonsense"]}',
         "site.toml:1:39: nonsense is no UID and no keyword of a SOP Class"),
        ('[parameters]\naccepted_transfer_syntaxes = ["JPEG2000Losles"]', "site.toml:2:31: JPEG2000Losles is "
         "no UID and no keyword of a transfer syntax; the nearest one is JPEG2000Lossless"),
        ('[parameters]\naccepted_sop_classes = ["1.2.840.10008.1.2"]', "site.toml:2:25: 1.2.840.10008.1.2 is "
         "Implicit VR Little Endian, which is not a SOP Class"),
        ("[parameters]\nspacing_to_thickness = [1.5, 0.5]",
         "site.toml:2:1: spacing_to_thickness: the least is greater than the most"),
        ('[[for]]\nmodalities = ["CT", "MRI"]\noff = ["UID-ROOT"]',
         "site.toml:2:21: MRI is no Modality of the standard; the nearest one is MR"),
        ("parameters = 3", "site.toml:1:1: parameters is no table; write [parameters] above its lines"),
        ('[severity]\n"UID-ROOT" = "fatal"', "site.toml:2:1: UID-ROOT: fatal is none of block, note, review"),
        ('severity = "note"', "site.toml:1:1: severity is no table; write [severity] above its lines"),
        ('base = "strickt"', "site.toml:1:1: base: there is no profile strickt; the nearest one is strict"),
        ('base = "x.toml"', "site.toml:1:1: the profile x.toml cannot be read: no such file"),
        ("base = 3", "site.toml:1:1: base: expected `str`, got `int`"),
        ('name = "a\\nb"',
         "site.toml:1:1: name: 'a\\nb' is no name: 64 letters, digits, spaces and . + - _ at most"),
        ('name = "\\u0000"',
         "site.toml:1:1: name: '\\x00' is no name: 64 letters, digits, spaces and . + - _ at most"),
        ("rule = 3", "site.toml:1:1: rule is no table"),
    ],
)  # fmt: skip
def test_a_wrong_profile_is_told_where_and_what_is_near(text, told):
    (problem,) = problems(text)
    assert problem.startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('base = "off.toml"\nrequired = ["UID-ROOT"]',
         "site.toml:2:1: required: UID-ROOT is switched off by its base; name it in on, too, or leave"),
        ('base = "required.toml"\noff = ["UID-*"]',
         "site.toml:2:1: off: UID-ROOT is insisted on by its base; name it in optional, too, or leave"),
        ('required = ["UID-ROOT"]\n[[for]]\nmodalities = ["CT"]\noff = ["UID-ROOT"]',
         "site.toml:4:1: off: UID-ROOT is insisted on by what holds for all studies; name it in optional"),
        ('base = "off.toml"\n[[for]]\nmodalities = ["CT"]\nrequired = ["UID-ROOT"]',
         "site.toml:4:1: required: UID-ROOT is switched off by what holds for all studies; name it in on"),
        ('[[for]]\narchives = ["a*"]\nrequired = ["UID-ROOT"]\n'
         '[[for]]\nmodalities = ["CT"]\noff = ["UID-ROOT"]',
         "site.toml:6:1: off: UID-ROOT is insisted on by another [[for]] that may concern the same studies"),
        ('base = "for.toml"\nrequired = ["UID-ROOT"]',
         "site.toml:2:1: required: UID-ROOT is switched off for some studies by a [[for]] of its base"),
        ('base = "for.toml"\nrequired = ["UID-ROOT"]\n[[for]]\nmodalities = ["MR"]\non = ["UID-ROOT"]',
         "site.toml:2:1: required: UID-ROOT is switched off for some studies by a [[for]] of its base; take "
         "it back by a [[for]] for the same studies with on"),
        ('base = "for.toml"\nrequired = ["UID-ROOT"]\n'
         '[[for]]\nmodalities = ["CT"]\narchives = ["a"]\non = ["UID-ROOT"]',
         "site.toml:2:1: required: UID-ROOT is switched off for some studies by a [[for]] of its base"),
        ('base = "required-for.toml"\noff = ["UID-ROOT"]',
         "site.toml:2:1: off: UID-ROOT is insisted on for some studies by a [[for]] of its base; take it "
         "back by a [[for]] for the same studies with optional"),
    ],
)  # fmt: skip
def test_what_would_be_insisted_on_and_switched_off_is_refused(text, told):
    files = {
        "off.toml": 'off = ["UID-ROOT"]',
        "required.toml": 'required = ["UID-ROOT"]',
        "for.toml": '[[for]]\nmodalities = ["CT"]\noff = ["UID-ROOT"]',
        "required-for.toml": '[[for]]\nmodalities = ["CT"]\nrequired = ["UID-ROOT"]',
        "on.toml": 'base = "for.toml"\n[[for]]\nmodalities = ["CT", "MR"]\non = ["UID-ROOT"]',
    }
    (problem,) = problems(text, files)
    assert problem.startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        'base = "off.toml"\nrequired = ["UID-ROOT"]\non = ["UID-ROOT"]',
        'base = "required.toml"\noff = ["UID-ROOT"]\noptional = ["UID-ROOT"]',
        'base = "off.toml"\n[[for]]\nmodalities = ["CT"]\non = ["UID-ROOT"]\nrequired = ["UID-ROOT"]',
        'base = "for.toml"\nrequired = ["UID-ROOT"]\n[[for]]\nmodalities = ["CT"]\non = ["UID-ROOT"]',
        'base = "on.toml"\nrequired = ["UID-ROOT"]',
        '[[for]]\narchives = ["a"]\nrequired = ["UID-ROOT"]\n[[for]]\narchives = ["b"]\noff = ["UID-ROOT"]',
    ],
)
def test_who_says_both_is_understood(text):
    files = {
        "off.toml": 'off = ["UID-ROOT"]',
        "required.toml": 'required = ["UID-ROOT"]',
        "for.toml": '[[for]]\nmodalities = ["CT"]\noff = ["UID-ROOT"]',
        "required-for.toml": '[[for]]\nmodalities = ["CT"]\nrequired = ["UID-ROOT"]',
        "on.toml": 'base = "for.toml"\n[[for]]\nmodalities = ["CT", "MR"]\non = ["UID-ROOT"]',
    }
    assert parse(text, files)


def test_lists_of_the_standard_take_its_keywords():
    profile = parse(
        "[parameters]\naccepted_sop_classes = ['CTImageStorage', '1.2.3']\n"
        "accepted_transfer_syntaxes = ['ExplicitVRLittleEndian', '1.2.840.10008.1.2']\n"
        "[[for]]\nmodalities = ['ct']\nparameters = {accepted_sop_classes = ['MRImageStorage']}"
    )
    assert profile.parameters.accepted_sop_classes == ("1.2.840.10008.5.1.4.1.1.2", "1.2.3")
    assert profile.parameters.accepted_transfer_syntaxes == ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
    [exceptions] = profile.exceptions
    assert exceptions.modalities == ("CT",)
    assert profile.changed(exceptions).parameters.accepted_sop_classes == ("1.2.840.10008.5.1.4.1.1.4",)


def test_thousands_of_wrong_names_are_not_all_told():
    told = problems("off = [" + ", ".join(f'"A{number}"' for number in range(20_000)) + "]")
    assert told[0].startswith("site.toml:1:8: there is no rule A0")
    assert (len(told), told[-1]) == (MOST_PROBLEMS + 1, "site.toml: there is more; mend this first")


def test_everything_wrong_is_told_at_once_in_the_order_of_lines():
    files = {"house.toml": "\nof = []"}
    text = 'base = "house.toml"\noff = ["A"]\n[parameters]\nx = 1\n[severity]\n"B" = "C"'
    told = [problem.split(": ")[0] for problem in problems(text, files)]
    assert told == ["house.toml:2:1", "site.toml:2:8", "site.toml:4:1", "site.toml:6:1", "site.toml:6:1"]


def test_profiles_built_on_one_another_in_a_circle_are_refused():
    files = {"a.toml": 'base = "b.toml"', "b.toml": 'base = "a.toml"'}
    (problem,) = problems('base = "a.toml"', files)
    assert "b.toml:1:1: base: site.toml is built on a.toml is built on b.toml is built on a.toml" in problem


def test_profiles_on_one_another_without_end_are_refused():
    def find(base, of):
        return f"x{of}", 'base = "next.toml"'

    with pytest.raises(ConfigurationError, match="that never ends"):
        parse_profile('base = "next.toml"', known=RULES, name="a.toml", find_file=find)


def test_without_files_a_base_is_a_shipped_one():
    with pytest.raises(ConfigurationError, match=r"there is no profile other\.toml"):
        parse_profile('base = "other.toml"', known=RULES, name="a.toml")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5_000,
        "a" + ".a" * 5_000 + " = 1",
        "[" + ".".join("a" * 3_000) + "]",
        "parameters.future_days = " + "9" * 10_000,
        "parameters.future_days = 0x" + "f" * 100,
        "parameters.slice_distance_mm = 1e999",
        "\0",
        "\ud800",
        "# " + "x" * 300_000,
        "".join(f"[[a{number}]]\n" for number in range(25_000)),
        "\n".join(f"[[for]]\narchives=['a{number}']" for number in range(8_000)),
        "off = ['" + "*A" * 40 + "*B']\n[[rule]]\nid = 'SITE-" + "A" * 90 + "'",
        "off = ['" + "*" * 100_000 + "A']\nbse = 1",
        "off = [" + "'X'," * 20 + "]",
        "parameters.earliest_study_year = 1979-05-27",
    ],
)
def test_hostile_files_are_refused_and_nothing_else_happens(text):
    start = time.process_time()
    assert problems(text)
    assert time.process_time() - start < 5  # what compared each line with each other took minutes


@pytest.mark.parametrize(
    "key",
    [
        "a" + ".a" * 100_000,
        "a" + " . a" * 50_000,
        "'a'" + ".'a'" * 50_000,
        '"\\""' + '."a"' * 50_000,
        "ok = '''.'''\n[" + ".".join("a" * 21) + "]\nb",
        'ok = """\n"""\nx = {' + ".".join("a" * 21) + " = 1}\nb",
        "é." * 100_000 + ".".join("a" * 21),
    ],
)
def test_keys_of_more_parts_than_anybody_writes_are_refused_before_they_are_read(key):
    start = time.process_time()
    (problem,) = problems(f"{key} = 1")
    assert "not TOML: a key has more than 20 parts joined by dots" in problem
    assert time.process_time() - start < 5


@given(
    st.lists(st.sampled_from(["a", "'b.c'", '"d."', '"\\"."', "3", "-_"]), min_size=1, max_size=40),
    st.sampled_from([".", " . ", "\t."]),
    st.sampled_from(["%s = 1", "[%s]", "[[%s]]", "x = {%s = 1}", "s = '''\n.'''\n# ...\n%s = '...' # ..."]),
)
def test_keys_are_refused_by_the_number_of_their_parts(parts, dot, where):
    told = problems("bse = 1\n" + where % dot.join(parts))[0]
    assert ("a key has more than 20 parts" in told) == (len(parts) > 20)


def test_where_a_key_of_too_many_parts_stands_is_told():
    (problem,) = problems("bse = 1\n  " + ".".join("a" * 21) + " = 1")
    assert problem.startswith("site.toml:2:3: not TOML: a key has more than 20 parts")


@given(st.text(max_size=60) | st.text("[]{}=\"'.#\n ,ab1-:", max_size=60))
def test_whatever_a_file_holds_it_is_read_or_refused(text):
    refused = ""
    try:
        parse_profile(text, known=RULES, name="site.toml")
    except ConfigurationError as error:
        refused = error.detail
    assert all(line.startswith("site.toml:") for line in refused.splitlines())


def test_a_byte_order_mark_is_no_fault():
    assert parse('\ufeffoff = ["UID-ROOT"]').off == {"UID-ROOT"}


KEYS = st.text("ab-1", min_size=1, max_size=3) | st.text(max_size=3)
VALUES = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def written(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[ # ]\n" + ",\n".join(map(written, value)) + "]"
    return quoted(value) if isinstance(value, str) else str(value).lower()


def quoted(text):
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08X}" for c in text) + '"'


def paths(value, path=()):
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from paths(inner, (*path, key))


@given(
    st.dictionaries(KEYS, VALUES, max_size=3),
    st.lists(st.dictionaries(KEYS, VALUES, max_size=2), max_size=3),
)
def test_every_key_and_element_of_a_text_has_its_position(pairs, tables):
    lines = [f"{quoted(key)} = {written(value)}  # [x]" for key, value in pairs.items()]
    for table in tables:
        lines += ["[[zz.'t.u']]", *(f"{quoted(key)}.k = {written(value)}" for key, value in table.items())]
    text = "\n".join(lines)
    found = positions(text)
    assert found.keys() == set(paths(tomllib.loads(text)))
    starts = text.split("\n")
    assert all(starts[line - 1][column - 1 :].strip() for line, column in found.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_loads_under_its_name_and_says_what_it_is_for(name):
    assert shipped_profile(name, known=RULES).name == name
    assert len(summary(name)) >= 30


@pytest.mark.parametrize("name", SHIPPED)
def test_what_a_shipped_profile_says_makes_a_difference(name):
    table = tomllib.loads(shipped_text(name))
    severities = table.get("severity", {})
    forms = [key for key in severities if "*" in key]
    own = {rule.id: rule.severity for rule in catalogue().values()}
    idle = [
        rule
        for rule, severity in severities.items()
        if own.get(rule) == severity and not any(fnmatchcase(rule, form) for form in forms)
    ]
    assert idle == []
    assert set(table.get("off", [])).isdisjoint(severities)


def test_the_shipped_default_is_the_default():
    assert shipped_profile("default", known=RULES) == DEFAULT


def test_a_migration_insists_on_the_counts_of_archives_and_of_nothing_else():
    migration = shipped_profile("migration", known=RULES)
    assert migration.for_study(kinds=[]).required == set()
    assert "SRC-QIDO-COUNT" in migration.for_study(kinds=[], archive="pacs").required


def test_target_profiles_name_their_archive():
    targets = {name: shipped_profile(name, known=RULES).parameters.targets for name in SHIPPED}
    assert {name: target for name, target in targets.items() if target} == {
        "dcm4chee-arc": ("dcm4chee",),
        "orthanc": ("orthanc",),
        "azure": ("azure",),
        "aws-healthimaging": ("aws",),
        "google": ("google",),
    }


def test_what_names_a_wrong_rule_of_the_profile_is_not_told_too():
    text = 'off = ["SITE-A"]\n[[rule]]\nid = "SITE-A"\ntitle = "A"\nattribute = "KVP"\nmend = "Mend it."'
    (problem,) = problems(text)
    assert problem.startswith("site.toml:2:1: nothing must hold")
