"""The screens: what matches is nothing that a rule on a VR could object to, and most real cells match."""

import struct
from datetime import date
from functools import cache

import msgspec
import pytest
from bench import synthetic
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from heltig.dicom.cell import Encoding
from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.part10 import BytesSource, read_header
from heltig.dicom.table import Table
from heltig.pipeline.reading import read_inputs
from heltig.rules.catalogue import catalogue
from heltig.rules.parameters import Parameters
from heltig.rules.screen import NEAR, Screen, screen_of
from heltig.rules.views import Context, Place
from heltig.standard.dictionary import entries, keyword_of, lookup, tag_of
from heltig.standard.value_representations import VRS

CONTEXT = Context(date(2026, 1, 1), Parameters())
VALUE_RULES = [rule for rule in catalogue().values() if rule.level == "value"]
SAMPLES = {"compact": b'{"vr":"', "json": b"{ ", "explicit": b"", "implicit": b""}
PRIVATE = "0029xx10 MAKER"
CHARSETS = ((), ("ISO_IR 100",), ("ISO_IR 192",), ("ISO_IR 13",), ("", "ISO 2022 IR 87"), ("GB18030",))


def syntax_of(dialect):
    return "json" if dialect in ("compact", "json") else dialect


def objections(table, column, code):
    """What the rules that a screen speaks for have against one cell."""
    cell = table.cell(column, code)
    encoding = table.encodings[column.encodings[code]]
    tag = column.tag
    at = Place(cell, column.cells[code], encoding, tag, keyword_of(tag), lookup(tag), 0, CONTEXT)
    vr = cell.vr if cell.vr in VRS else ""
    named = {at.path} & NEAR
    rules = [r for r in VALUE_RULES if vr in r.vrs or named & set(r.reads) if r.when is None or r.when(at)]
    return [(rule.id, hit) for rule in rules for hit in rule.check(at) or ()]


def judged(tag, raw, encoding):
    """The objections to a cell that stands alone in a data set, and the table it is in."""
    table = Table()
    tags, raws = [tag], [raw]
    if tag == PRIVATE:
        creator = {"json": b'{"vr":"LO","Value":["MAKER"]}', "explicit": b"LO\x06\0MAKER "}
        tags = ["00290010", "00291010"]
        raws = [creator.get(encoding.syntax, b"\x06\0\0\0MAKER "), raw]
    table.append(tuple(tags), raws, encoding)
    table.arrange()
    return objections(table, table.columns[tag], 1)


@cache
def screens():
    """Every screen there is, once, with an attribute that it is for."""
    found: dict[tuple[str, bytes], tuple[str, str]] = {}
    for dialect, sample in SAMPLES.items():
        for entry in entries():
            tag = entry.tag.replace("x", "0")
            screen = screen_of(tag, syntax_of(dialect), sample)
            if screen is not None and (tag[:4] != "0002" or dialect != "implicit"):
                found.setdefault((dialect, screen.pattern), (tag, dialect))
        for vr in sorted(VRS):
            sample = {"compact": b'{"vr":"%b"}', "json": b'{"vr": "%b"}'}.get(dialect, b"%b") % vr.encode()
            screen = screen_of(PRIVATE, syntax_of(dialect), sample)
            if screen is not None:
                found.setdefault((dialect, screen.pattern), (PRIVATE, dialect))
    return [(tag, dialect, pattern) for (_, pattern), (tag, dialect) in sorted(found.items())]


@cache
def cells_of(pattern):
    return st.from_regex(pattern, fullmatch=True)


def with_its_length(raw, tag, dialect):
    """A Part 10 cell as a reader cuts it: the value as long as the length says, which is even."""
    if syntax_of(dialect) == "json":
        return raw
    head = 4 if dialect == "implicit" or not VRS[raw[:2].decode()].long else 8
    value = raw[head:]
    if len(value) % 2:
        is_uid = (lookup(tag).vr if lookup(tag) else raw[:2].decode()) == "UI"
        value = value[:-1] if value.endswith(b"\0") else value + (b"\0" if is_uid else b" ")
    if head == 8 or dialect == "implicit":
        return raw[: head - 4] + struct.pack("<I", len(value)) + value
    assume(len(value) < 2**16)
    return raw[:2] + struct.pack("<H", len(value)) + value


def warm(screen):
    """Ask a screen so often that it is compiled."""
    screen.suspects([b"?"] * 30)
    return screen


def passes(screen, raw):
    return not warm(screen).suspects([raw])


def encodings(dialect):
    return st.builds(
        Encoding, st.just(syntax_of(dialect)), st.sampled_from(CHARSETS if "plicit" in dialect else ((),)),
        st.booleans(),
    )  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_rule_objects_to_a_cell_that_a_screen_describes(data):
    tag, dialect, pattern = data.draw(st.sampled_from(screens()))
    raw = with_its_length(data.draw(cells_of(pattern)), tag, dialect)
    assert judged(tag, raw, data.draw(encodings(dialect))) == []


@cache
def real_cells():
    """Cells as a scanner and an archive write them: attribute, dialect, raw cell."""
    (instance,) = synthetic.instances(1)
    (_, file), *_ = synthetic.files(1)
    spaced = {tag: _spaced(element) for tag, element in instance.items()}
    data_set = read_header(BytesSource(file))
    return [
        *((tag, "compact", msgspec.json.encode(element)) for tag, element in instance.items()),
        *((tag, "json", msgspec.json.format(msgspec.json.encode(e), indent=2)) for tag, e in spaced.items()),
        *((tag, "explicit", bytes(raw)) for tag, raw in zip(data_set.tags, data_set.raws, strict=True)),
    ]


def _spaced(element):
    return {name: element[name] for name in sorted(element)}  # as JsonCpp writes it: Value before vr


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_rule_objects_to_a_real_cell_changed_so_that_it_still_passes(data):
    tag, dialect, raw = data.draw(st.sampled_from(real_cells()))
    screen = screen_of(tag, syntax_of(dialect), raw)
    assume(screen is not None)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(4, len(raw)))
        new = data.draw(st.binary(max_size=2) | st.text('0123456789.\\+- ,"eE', max_size=4).map(str.encode))
        raw = raw[:place] + new + raw[place + data.draw(st.integers(0, 4)) :]
    if dialect == "explicit":
        raw = raw[:2] + struct.pack("<H", len(raw) - 4) + raw[4:] if len(raw) < 2**16 else raw
    found = judged(tag, raw, Encoding(syntax_of(dialect)))
    if passes(screen, raw):
        assert found == []


@pytest.mark.parametrize("dialect", ["compact", "json", "explicit"])
def test_nearly_all_cells_of_a_real_study_pass(dialect):
    cells = [(tag, raw) for tag, d, raw in real_cells() if d == dialect]
    suspects = {
        tag
        for tag, raw in cells
        if not ((screen := screen_of(tag, syntax_of(dialect), raw)) and passes(screen, raw))
        and not raw.startswith((b'{"vr":"SQ"', b"SQ")) and b'"SQ"' not in raw
    }  # fmt: skip
    # Names beyond ASCII, and binary values in the JSON text.
    assert len(suspects) <= 10, {keyword_of(tag) or tag for tag in suspects}


@pytest.mark.corpus
def test_no_rule_objects_to_a_cell_of_a_real_study_that_passes(corpus):
    passed = 0
    for study in read_inputs([corpus]).studies:
        tables = [study]
        for table in tables:
            for column in table.columns.values():
                by_syntax = {}
                for code, number in enumerate(column.encodings[1:], 1):
                    by_syntax.setdefault(table.encodings[number].syntax, []).append(code)
                suspects = []
                for syntax, codes in by_syntax.items():
                    cells = [column.cells[code] for code in codes]
                    screen = screen_of(column.tag, syntax, cells[0])
                    places = warm(screen).suspects(cells) if screen else range(len(cells))
                    suspects += [codes[place] for place in places]
                for code in set(range(1, len(column.cells))) - set(suspects):
                    passed += 1
                    assert objections(table, column, code) == []
                if any(table.cell(column, code).items for code in suspects):
                    tables.append(table.items(column))
    assert passed > 20_000


TEXTS = st.lists(st.sampled_from([b"A1", b"B2", b"", b"tab\t", b"\xff", b"ab~", b"x" * 65]), max_size=40)


@given(TEXTS)
def test_all_cells_at_once_come_out_as_one_by_one(texts):
    cells = [b'{"vr":"LO","Value":["%b"]}' % text for text in texts]
    screen = warm(screen_of("00081030", "json", b'{"vr":"'))
    one_by_one = [place for place, cell in enumerate(cells) if screen.suspects([cell])]
    assert list(screen.suspects(cells)) == one_by_one


def test_a_cell_that_holds_two_is_not_taken_for_two():
    cell = b'{"vr":"LO","Value":["A"]}'
    screen = warm(screen_of("00081030", "json", cell))
    assert list(screen.suspects([cell, cell + b"\xff" + cell])) == [1]


def test_few_cells_are_all_suspects_until_a_screen_is_worth_compiling():
    screen = Screen(b"A", vrs=("LO",), dialect="compact")
    assert list(screen.suspects([b"A", b"A"])) == [0, 1]
    assert list(screen.suspects([b"A"] * 30)) == []
    assert list(screen.suspects([b"A", b"B"])) == [1]


HOSTILE = (b"0", b"1", b"1.", b".1", b"-", b" ", b"A", b"1\\", b"1e", b'1","', b"1,", b"\t", b"\\")


@pytest.mark.parametrize("dialect", SAMPLES)
def test_a_long_hostile_cell_is_read_once(dialect):
    """Where a pattern tried again from every place, this would take hours."""
    for tag, _, pattern in [entry for entry in screens() if entry[1] == dialect][::7]:
        screen = Screen(pattern, vrs=("LO",), dialect="compact")
        if syntax_of(dialect) == "json":
            head, tail = (
                b'{"vr":"%b","Value":["' % (lookup(tag).vr[:2] if lookup(tag) else "LO").encode(),
                b"!",
            )
        else:
            head, tail = pattern[:2] + b"\x40\x42" if dialect == "explicit" else b"\x40\x42\x0f\x00", b"\x07"
        for part in HOSTILE:
            assert not passes(screen, head + part * 300_000 + tail)


@pytest.mark.parametrize(
    ("tag", "raw"),
    [
        ("00080018", b'{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.2.17"]}'),  # the standard's own root
        ("00080018", b'{"vr":"UI","Value":["2.25.340282366920938463463374607431768211456"]}'),
        ("00080018", b'{"vr":"LO","Value":["1.2.3"]}'),
        ("00281053", b'{"vr":"DS","Value":[0]}'),
        ("00280030", b'{"vr":"DS","Value":[0.5]}'),
        ("00281051", b'{"vr":"DS","Value":[-1]}'),
        ("00280301", b'{"vr":"CS","Value":["OTHER"]}'),
        ("00100010", b'{"vr":"PN","Value":[{"Alphabetic":" Doe^John"}]}'),
        ("00100010", b'{"vr":"PN","Value":[{"Alphabetic":"M?ller"}]}'),
        ("00080020", b'{"vr":"DA","Value":["20230229"]}'),
        ("00080020", b'{"vr":"DA","Value":["20230431"]}'),
        ("00081030", b'{"vr":"LO","Value":["\xc3\x83\xc2\xbc"]}'),
        ("00081030", b'{"vr":"LO","Value":["A","B"]}'),
        ("00200013", b'{"vr":"IS","Value":[2147483648]}'),
    ],
)
def test_what_a_rule_objects_to_does_not_pass(tag, raw):
    assert judged(tag, raw, Encoding("json")) != []
    assert not passes(screen_of(tag, "json", raw), raw)


def test_retired_attributes_and_unreserved_private_ones_have_no_screen():
    assert screen_of("00101000", "json", b'{"vr":"LO","Value":["A1"]}') is None
    assert screen_of("00291010", "json", b'{"vr":"LO","Value":["A1"]}') is None
    assert screen_of("00081140", "json", b'{"vr":"SQ"}') is None
    assert screen_of(PRIVATE, "json", b"{}") is None


def test_a_splitter_gives_the_cells_that_screens_are_made_for():
    splitter = InstanceSplitter()
    instances = [*splitter.feed(synthetic.body(2)), *splitter.close()]
    cells = dict(zip(instances[0].tags, map(bytes, instances[0].raws), strict=True))
    assert passes(screen_of("00080018", "json", cells["00080018"]), cells["00080018"])


@settings(deadline=None)
@given(st.data())
def test_no_rule_that_names_an_attribute_objects_to_what_passes_a_screen_that_speaks_for_it(data):
    keyword, dialect = data.draw(st.sampled_from(sorted(NEAR))), data.draw(st.sampled_from(sorted(SAMPLES)))
    tag, numbers = tag_of(keyword), data.draw(st.lists(st.floats(-20_000, 20_000), min_size=3, max_size=3))
    texts = [f"{number:.{data.draw(st.integers(0, 6))}g}" for number in numbers]
    value = "\\".join(texts).encode()
    raw = {
        "compact": b'{"vr":"DS","Value":[%b]}' % ",".join(map(repr, numbers)).encode(),
        "json": b'{"vr": "DS", "Value": ["%b"]}' % '", "'.join(texts).encode(),
        "explicit": b"DS" + struct.pack("<H", len(value)) + value,
        "implicit": struct.pack("<I", len(value)) + value,
    }[dialect]
    screen = screen_of(tag, syntax_of(dialect), SAMPLES[dialect])
    if passes(screen, raw):
        assert judged(tag, raw, Encoding(syntax_of(dialect))) == []


@given(st.lists(st.sampled_from([b"1.2.3", b"1.2.03", b"", b"x", b"1.2.826.0.1"]), max_size=60))
def test_the_suspects_among_many_cells_are_those_that_are_suspect_alone(texts):
    screen = warm(screen_of("00080018", "json", SAMPLES["compact"]))
    cells = [b'{"vr":"UI","Value":["%b"]}' % text for text in texts]
    assert list(screen.suspects(cells)) == [i for i, cell in enumerate(cells) if screen.suspects([cell])]
