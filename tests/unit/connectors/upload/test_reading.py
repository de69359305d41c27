import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.connectors.upload.conftest import Judge
from unit.connectors.upload.made import CENTRAL, DICOMDIR_CLASS, LOCAL, dicom, judged, spoilt, zipped

from connectors.upload import UNSAFE, account, list_inputs
from heltig.dicom.part10 import BytesSource, SeekableSource, read_header

NOISE = bytes((n * n * 31 + n // 7) % 251 for n in range(30_000))
FILES = [(f"s/IM{n}.dcm", dicom(f"1.{n}", pixels=NOISE)) for n in range(4)]

NESTED = [
    zipped(
        [("1.dcm", dicom("1")), ("2.dcm", dicom("2")), ("in.zip", zipped([("3.dcm", dicom("3"))]))], method=m
    )
    for m in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("deep", [False, True])
def test_a_zip_gives_what_the_files_give(judge: Judge, method: int, deep: bool) -> None:
    result = judge(zipped(FILES, method=method), deep=deep)
    expected = [read_header(BytesSource(content), origin=f"study.zip!{name}") for name, content in FILES]
    assert result.data_sets == expected
    assert result.report.facts == ()


def test_headers_that_are_longer_than_the_first_read(judge: Judge) -> None:
    long = dicom().replace(b"LO\x02\x00P1", b"LO\xfe\xff" + b"P" * 0xFFFE)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        (data_set,) = judge(zipped([("1.dcm", long)], method=method)).data_sets
        assert len(bytes(data_set.raws[data_set.tags.index("00100020")])) == 4 + 0xFFFE


def test_a_streamed_zip_has_its_sizes_after_the_members(judge: Judge, tmp_path: Path) -> None:
    pieces = []

    class Pipe:
        def write(self, data: bytes) -> int:
            pieces.append(bytes(data))
            return len(data)

        def flush(self) -> None:
            pass

    with zipfile.ZipFile(Pipe(), "w", zipfile.ZIP_DEFLATED) as package:  # type: ignore[call-overload]
        for name, content in FILES:
            package.writestr(name, content)
    assert judge(b"".join(pieces), deep=True).report.instances == 4


def test_what_is_no_instance_is_named_with_the_reason(judge: Judge) -> None:
    others = {
        "report.pdf": (b"%PDF-1.4\n%%EOF\n", "it is a PDF document"),
        "viewer/start.exe": (b"MZ\x90\0" + bytes(200), "it is a Windows program"),
        "README.txt": (b"Images of the study.\n" * 20, "no DICM prefix, and no data set at the start"),
        "short": (b"\1", "no DICM prefix, and no data set at the start"),
    }
    result = judge(zipped([*FILES, *((name, content) for name, (content, _) in others.items())]))
    assert {m.origin: (m.kind, m.detail) for m in result.report.skipped} == {
        f"study.zip!{name}": ("not-dicom", detail) for name, (_, detail) in others.items()
    }


def test_a_file_that_is_only_a_prefix_is_unreadable(judge: Judge) -> None:
    assert judge(bytes(128) + b"DICM", name="1.dcm").skipped == {"1.dcm": "unreadable"}


def test_a_dicomdir_is_known_by_its_class_else_by_its_name(judge: Judge) -> None:
    package = zipped(
        [
            ("index", dicom(media_class=DICOMDIR_CLASS)),
            ("DICOMDIR", dicom()),
            ("a/DICOMDIR", dicom(media_class="")),
            ("b.dcm", dicom(media_class="")),
        ]
    )
    result = judge(package)
    assert result.skipped == {"study.zip!index": "dicomdir", "study.zip!a/DICOMDIR": "dicomdir"}
    assert result.read == ["study.zip!DICOMDIR", "study.zip!b.dcm"]


def test_a_changed_byte_is_found_only_by_the_checksum(judge: Judge) -> None:
    package = bytearray(zipped(FILES, method=zipfile.ZIP_STORED))
    package[len(package) // 2] ^= 0xFF
    assert judge(bytes(package)).facts == ()
    result = judge(bytes(package), deep=True)
    assert [kind for _, kind in result.odd] == ["checksum"]
    assert result.report.instances == 4


def test_a_member_that_unpacks_to_more_than_declared(judge: Judge) -> None:
    content = dicom(pixels=NOISE)
    package = zipped([("1.dcm", content)])
    package = spoilt(spoilt(package, LOCAL, 22, "<L", 1000), CENTRAL, 24, "<L", 1000)
    result = judge(package, deep=True)
    assert [kind for _, kind in result.odd] == ["length"]


def test_a_member_that_unpacks_to_less_than_declared(judge: Judge) -> None:
    package = zipped([("1.dcm", dicom()), ("2.dcm", dicom())])
    size = len(dicom()) + 5
    package = spoilt(spoilt(package, LOCAL, 22, "<L", size), CENTRAL, 24, "<L", size)
    result = judge(package, deep=True)
    assert result.odd == [("study.zip!1.dcm", "damaged-member")]
    assert result.read == ["study.zip!1.dcm", "study.zip!2.dcm"]


@pytest.mark.parametrize(
    ("package", "kind"),
    [
        (zipped(FILES).replace(b"s/IM0.dcm", b"s/XX0.dcm", 1), "header-mismatch"),
        (spoilt(zipped(FILES), LOCAL, 8, "<H", 0), "header-mismatch"),
        (spoilt(zipped(FILES), LOCAL, 6, "<H", 1), "header-mismatch"),
        (spoilt(zipped(FILES), LOCAL, 18, "<L", 7), "header-mismatch"),
        (spoilt(zipped(FILES), LOCAL, 14, "<L", 7), "header-mismatch"),
        (spoilt(zipped(FILES), LOCAL, 39, "<Q", 0xFFFFFFFFFFFFFFFF), "damaged-member"),
    ],
    ids=["name", "method", "encrypted", "size", "checksum", "deflated bytes"],
)
def test_a_member_whose_header_or_bytes_are_wrong_is_named(judge: Judge, package: bytes, kind: str) -> None:
    result = judge(package)
    assert result.skipped == {"study.zip!s/IM0.dcm": kind}
    assert result.report.instances == 3


def test_a_member_without_a_header_is_named(judge: Judge) -> None:
    package = spoilt(zipped(FILES), LOCAL, 0, "<H", 0, nth=1)
    assert judge(package).skipped == {"study.zip!s/IM1.dcm": "damaged-member"}


def test_the_account_must_add_up(scratch: Path, tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(dicom())
    (listing,) = list_inputs([tmp_path / "1.dcm"], scratch=scratch)
    with pytest.raises(ValueError, match="1 members listed, 0 instances and 0 skipped"):
        account(listing, [], instances=0)
    assert account(listing, [], instances=1).members == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_zip_with_changed_bytes_is_accounted_for(judge: Judge, data: st.DataObject) -> None:
    package = bytearray(data.draw(st.sampled_from(NESTED)))
    for _ in range(data.draw(st.integers(1, 4))):
        package[data.draw(st.integers(4, len(package) - 1))] = data.draw(st.integers(0, 255))
    del package[data.draw(st.integers(len(package) // 2, len(package) * 4)) :]
    report = judge(bytes(package), deep=data.draw(st.booleans())).report
    assert report.members == report.instances + len(report.skipped) >= 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_an_instance_or_named(judge: Judge, content: bytes) -> None:
    alone = judge(content, name="x").report
    packed = judge(zipped([("x", content)])).report
    assert alone.members == packed.members == 1
    assert alone.instances == packed.instances


def test_a_file_and_a_member_read_alike(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(dicom())
    (result,) = judged(tmp_path / "1.dcm", scratch=scratch)
    with (tmp_path / "1.dcm").open("rb", buffering=0) as file:
        assert result.data_sets == [read_header(SeekableSource(file), origin="1.dcm")]
    assert not UNSAFE & {fact.kind for fact in result.facts}
