"""Evidence bundles: every judged study's verifies, and none that was touched does."""

import asyncio
import io
import json
import re
import struct
import tempfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from browser.filled_store import NOW, fill, uid_of
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from heltig.cli import heltig
from heltig.errors import HeltigError, InputTooLargeError, UnreadableInputError, UnsafePackageError
from heltig.pipeline.publish import render
from heltig.pipeline.report import ProfileName
from heltig.pipeline.score import score_again
from heltig.reports.bundle import checking, form, remaking
from heltig.reports.bundle.checking import check_bundle
from heltig.reports.bundle.form import MANIFEST, METADATA, PROFILE, SNAPSHOT, VERDICT
from heltig.reports.bundle.reading import read_bundle
from heltig.reports.bundle.writing import Parts, write_bundle
from heltig.reports.checksums import NAME as CHECKSUMS
from heltig.reports.checksums import checksums, sha256
from heltig.reports.gathering import study_of
from heltig.rules.profile import DEFAULT, Profile
from heltig.store import judged_studies
from heltig.store.engine import Store
from heltig.store.judged_studies import JudgedStudy, Scope
from heltig.store.records import Location

T = TypeVar("T")
SERIES = "snapshot/series-000001.msgpack"
STUDY = "slices-missing"


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[Store]:
    store = await Store.open(f"sqlite+aiosqlite:///{home / 'heltig.db'}", render=render)
    try:
        yield store
    finally:
        await store.close()


def in_store(home: Path, work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened(home) as store:
            return await work(store)

    return asyncio.run(run())


async def written(store: Store, found: JudgedStudy, parts: Parts = Parts()) -> bytes:  # noqa: B008
    file = io.BytesIO()
    await write_bundle(store, found, parts, file)
    return file.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the demo's studies, judged."""
    folder = tmp_path_factory.mktemp("filled")
    asyncio.run(fill(folder))
    return folder


@pytest.fixture(scope="module")
def bundle(home: Path) -> bytes:
    """The bundle of one of them, which has findings."""

    async def write(store: Store) -> bytes:
        return await written(store, await study_of(store, uid_of(STUDY), None, now=NOW))

    return in_store(home, write)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bundle.zip"


def files_of(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as package:
        return {name: package.read(name) for name in package.namelist()}


def packed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(name, content)
    return file.getvalue()


def sealed(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same with a manifest and checksums that fit, as who changes a bundle could make them."""
    manifest = json.loads(files[MANIFEST])
    manifest["files"] = {
        name: {"sha256": sha256(content), "size": len(content)}
        for name, content in files.items()
        if name not in (MANIFEST, CHECKSUMS)
    }
    return summed({**files, MANIFEST: json.dumps(manifest).encode()})


def summed(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same with checksums that fit, the manifest as it is."""
    digests = {name: sha256(content) for name, content in files.items() if name != CHECKSUMS}
    return {**files, CHECKSUMS: checksums(digests)}


def changed(files: dict[str, bytes], name: str, change: Callable[[Any], None]) -> dict[str, bytes]:
    """The same with something changed in one of its JSON files."""
    content = json.loads(files[name])
    change(content)
    return {**files, name: json.dumps(content).encode()}


def test_every_judged_study_verifies_and_gives_the_same_bytes_again(home: Path) -> None:
    async def all_of_them(store: Store) -> int:
        found, _ = await store.read(judged_studies.page, Scope(), now=NOW, after=0, limit=1000)
        judged = [one for one in found if one.verdict is not None]
        for one in judged:
            bundle = await written(store, one)
            assert outcome_of(bundle) == "same", one.study.study_key
            redacted = await written(store, one, Parts(identifiers=False))
            assert outcome_of(redacted) == "not-judged", one.study.study_key
        assert await written(store, judged[0]) == await written(store, judged[0])
        return len(judged)

    assert in_store(home, all_of_them) > 30


@given(data=st.data())
def test_a_bundle_that_was_touched_is_never_the_same(bundle: bytes, data: st.DataObject) -> None:
    """One byte of one file, with or without checksums that fit: refused, or another verdict."""
    files = files_of(bundle)
    name = data.draw(
        st.sampled_from([VERDICT, PROFILE, SNAPSHOT, SERIES, "snapshot/facts.msgpack", METADATA])
    )
    content = bytearray(files[name])
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    touched = {**files, name: bytes(content)}
    is_sealed = data.draw(st.booleans()) and name in (PROFILE, SERIES, "snapshot/facts.msgpack")
    assert outcome_of(packed(sealed(touched) if is_sealed else touched)) != "same"


def outcome_of(bundle: bytes) -> str:
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(bundle)
        file.flush()
        try:
            return check_bundle(read_bundle(Path(file.name))).outcome
        except HeltigError as error:
            return type(error).__name__


def hostile(bundle: bytes) -> Iterator[tuple[str, bytes, type[HeltigError], str]]:
    files = files_of(bundle)
    yield "no ZIP", b"hello", UnreadableInputError, "no bundle"
    yield "cut", bundle[: len(bundle) // 2], UnreadableInputError, "no bundle"
    yield "no bundle", packed({"a.dcm": b"x"}), UnsafePackageError, "no bundle has such a file"
    yield "empty", packed({}), UnreadableInputError, "no manifest.json"
    for name in ("../evil", "/etc/passwd", "snapshot/../../evil", "snapshot\\evil", "manifest.json/x"):
        yield name, packed({**files, name: b"x"}), UnsafePackageError, "no bundle has such a file"
    for name in (VERDICT, SERIES, CHECKSUMS, PROFILE, "report.html"):
        less = {key: content for key, content in files.items() if key != name}
        yield f"without {name}", packed(less), UnreadableInputError, "missing"
    yield (
        "without verdict in the manifest",
        packed(sealed({key: content for key, content in files.items() if key != VERDICT})),
        UnreadableInputError,
        "not in its manifest.json",
    )
    extra = {**files, "snapshot/series-999999.msgpack": b"x"}
    yield "a file more", packed(extra), UnreadableInputError, "not in its manifest.json"
    yield "a series more", packed(sealed(extra)), UnreadableInputError, "does not name the files"
    yield "deep JSON", packed({**files, MANIFEST: b"[" * 100_000}), UnreadableInputError, MANIFEST
    yield "other JSON", packed({**files, MANIFEST: b'{"form": 1}'}), UnreadableInputError, MANIFEST
    later = changed(files, MANIFEST, lambda manifest: manifest.update(form="heltig-bundle/9"))
    yield "a later form", packed(later), UnreadableInputError, "not known here"
    bomb = bytes(80 * 1024 * 1024)
    yield "a bomb", packed({**files, VERDICT: bomb}), InputTooLargeError, "would be 83,886,080 bytes"
    for name, rows, columns in (("rows", 2**62, []), ("cells", 900_000, [None] * 200)):
        series = msgspec.msgpack.encode(["1.2", rows, [], columns, []])
        large = packed(sealed({**files, SERIES: series}))
        yield f"a series of many {name}", large, InputTooLargeError, "its series would be"
    garbage = packed(sealed({**files, SERIES: msgspec.msgpack.encode(["1.2", 3, [], [], []])}))
    yield "a series of nothing", garbage, UnreadableInputError, "damaged"
    yield (
        "other evidence",
        packed(sealed({**files, "snapshot/facts.msgpack": b"\x00"})),
        UnreadableInputError,
        "damaged",
    )
    yield "another profile", packed(sealed({**files, PROFILE: b"{}"})), UnreadableInputError, "hash"
    hidden = "stands behind its files"
    yield "bytes behind it", bundle + b"more", UnsafePackageError, hidden
    commented = io.BytesIO(bundle)
    with zipfile.ZipFile(commented, "a") as package:
        package.comment = b"signed"
    yield "a comment", commented.getvalue(), UnsafePackageError, hidden
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as package:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if name == "report.html" else 0o100644) << 16
            package.writestr(info, content)
    yield "a link", linked.getvalue(), UnsafePackageError, "something else than a file"
    ready = changed(files, MANIFEST, lambda manifest: manifest.update(readiness="READY"))
    yield "another readiness", packed(sealed(ready)), UnreadableInputError, "another one than its manifest"


def test_hostile_bundles_are_refused_in_plain_words(bundle: bytes, place: Path) -> None:
    names = []
    for name, content, error, text in hostile(bundle):
        place.write_bytes(content)
        with pytest.raises(error) as caught:
            check_bundle(read_bundle(place))
        assert text in caught.value.detail, name
        assert caught.value.exit_code == 3
        names.append(name)
    assert len(names) > 20


def test_sizes_that_a_directory_hides_are_not_believed(bundle: bytes, place: Path) -> None:
    """A member that unpacks to more than its directory declares is told, not unpacked."""
    files = {**files_of(bundle), VERDICT: b" " * 5_000_000}
    content = bytearray(packed(files))
    place_of_size = content.rfind(VERDICT.encode()) - 46 + 24
    struct.pack_into("<L", content, place_of_size, 10)
    place.write_bytes(bytes(content))
    with pytest.raises(UnreadableInputError, match=r"other sizes|more than|differs"):
        read_bundle(place)


def run(place: Path, *options: str) -> tuple[int, str]:
    ran = CliRunner().invoke(heltig, ("verify", str(place), *options))
    return ran.exit_code, ran.output


def test_verify_says_what_differs_and_by_which_ruleset(home: Path, bundle: bytes, place: Path) -> None:
    files = files_of(bundle)
    place.write_bytes(bundle)
    code, text = run(place)
    assert code == 0
    assert "SAME: judged again here it is NEEDS_REVIEW" in text
    assert json.loads(run(place, "--format", "json")[1])["outcome"] == "same"
    assert "Proven against damage alone" in text
    assert "when it was received and judged and as which revision, and where the study was seen" in text
    assert "audit.ndjson, which tells of this verdict, but has no tags" in text
    assert "under this profile, default as it is shipped (profile.json)" in text
    assert "reference date, 2026-05-31, and 0 facts about other studies (verdict.json)" in text
    assert b"<h1>Study <bdi" in files["report.html"]

    def forged(judgement: Any) -> None:
        judgement["verdict"]["readiness"] = "READY"
        judgement["verdict"]["findings"] = judgement["verdict"]["findings"][1:]

    other = changed(files, VERDICT, forged)
    other = changed(other, MANIFEST, lambda manifest: manifest.update(readiness="READY"))
    place.write_bytes(packed(sealed(other)))
    code, text = run(place)
    assert code == 1
    assert "DIFFERS: judged again here it is NEEDS_REVIEW" in text
    assert "readiness: READY in the bundle, NEEDS_REVIEW here" in text
    assert "only here, or otherwise: GEO-SLICE-GAP (review)" in text

    hash = json.loads(files[MANIFEST])["ruleset"]["hash"]
    older = {name: content.replace(hash.encode(), b"0" * 64) for name, content in files.items()}
    place.write_bytes(packed(sealed(older)))
    code, text = run(place)
    assert code == 9
    assert "by ruleset 0.1.0 (000000000000)" in text
    assert "report.html: it has texts of the ruleset that judged" in text
    assert "OTHER RULESET" in text
    assert "By that it is NEEDS_REVIEW, with 3 findings." in text


def forgeries(files: dict[str, bytes]) -> Iterator[tuple[str, dict[str, bytes], str]]:
    """Bundles of which somebody changed what people look at, with checksums that fit."""

    def replaced(name: str, old: bytes, new: bytes) -> dict[str, bytes]:
        assert old in files[name], name
        return {**files, name: files[name].replace(old, new)}

    head = files["findings.csv"].split(b"\r\n")[0] + b"\r\n"
    waiver = b'[{"rule":"GEO-SLICE-GAP","reason":"fine","author":"Dr. X"}]'
    whole = json.dumps(
        {
            **{"id": 1, "rule": "GEO-SLICE-GAP", "tags": [], "observed": "x", "digest": ""},
            **{"reason": "fine", "author": "x", "created": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"},
            "expires": "2030-01-01T00:00:00Z",
        }
    )
    yield "report.html", replaced("report.html", b"NEEDS_REVIEW", b"READY"), "report.html is not"
    yield "report of zeros", {**files, "report.html": bytes(1_000_000)}, "report.html is not"
    yield "findings.csv", {**files, "findings.csv": head}, "findings.csv is not"
    yield METADATA, replaced(METADATA, b'"0010', b'"0011'), "metadata.json is not"
    yield "README.txt", replaced("README.txt", b"NEEDS_REVIEW", b"READY"), "README.txt is not"
    yield "ruleset.json", replaced("ruleset.json", b'"standard": "', b'"standard": "3'), "name the ruleset"
    yield "a made-up waiver", {**files, "waivers.json": waiver}, "not what a bundle has there"
    yield "another waiver", {**files, "waivers.json": f"[{whole}]".encode()}, "waivers that the verdict"
    yield (
        "a study of another",
        replaced("study.json", b'"model": "', b'"model": "X'),
        "study.json is not",
    )
    yield "an owner", replaced("study.json", b'"owner": ""', b'"owner": "x"'), "findings.csv is not"
    yield "a word more", changed(files, VERDICT, lambda said: said.update(more="x")), "no bundle has"
    for name, value, told in (
        ("judged", "2027-05-31T13:15:00Z", "another time of judging"),
        ("studyInstanceUID", "1.2.3", "another StudyInstanceUID"),
        ("contentDigest", "0" * 64, "content digest"),
    ):
        yield name, changed(files, MANIFEST, lambda said, n=name, v=value: said.update({n: v})), told
    named = changed(files, MANIFEST, lambda said: said["ruleset"].update(version="9.9", standard="2030z"))
    yield "the ruleset's name", named, "name the ruleset"
    both = {name: text.replace(b'"standard": "20', b'"standard": "30') for name, text in files.items()}
    yield "that name everywhere", both, "name the ruleset"
    named = changed(files, MANIFEST, lambda said: said["profile"].update(name="relaxed"))
    yield "the profile's name", named, "another name of the profile"
    twice = {
        name: files[name].replace(b'"revision"', b'"revision": 9, "revision"', 1)
        for name in (VERDICT, MANIFEST)
    }
    yield "a key twice", {**files, VERDICT: twice[VERDICT]}, "or has it twice"
    yield "a key twice in the manifest", {**files, MANIFEST: twice[MANIFEST]}, "or has it twice"
    named = changed(files, MANIFEST, lambda said: said.update(leftOut={"identifiers": "nobody is named"}))
    yield "names nobody, it says", named, "says that the snapshot was left out"
    other = changed(files, "study.json", lambda said: said.update(snapshot="0" * 64, instances=9999))
    yield "a study that changed", other, "on another snapshot than its own"
    trail = files["audit.ndjson"]
    yield "no trail", {**files, "audit.ndjson": b"no JSON \xff"}, "not entries of an audit trail"
    yield "a trail with more", {**files, "audit.ndjson": trail.replace(b"{", b'{"x":1,', 1)}, "not entries"
    about = trail.replace(b'"subject":"archive:main ', b'"subject":"archive:main 9')
    yield "a trail of another", {**files, "audit.ndjson": about}, "entries about something else"
    yield "the same entry twice", {**files, "audit.ndjson": trail + trail}, "do not follow one another"
    told = trail.replace(b'"readiness":"NEEDS_REVIEW"', b'"readiness":"READY"')
    yield "another verdict in the trail", {**files, "audit.ndjson": told}, "tells of another verdict"
    for name in (
        "report.html",
        "findings.csv",
        "waivers.json",
        "ruleset.json",
        METADATA,
        "README.txt",
        "study.json",
        "audit.ndjson",
    ):
        yield (
            f"without {name}",
            {key: text for key, text in files.items() if key != name},
            "not in its manifest",
        )


def test_what_people_look_at_is_what_judging_again_gives(bundle: bytes, place: Path) -> None:
    for name, files, text in forgeries(files_of(bundle)):
        place.write_bytes(packed(sealed(files) if "twice in" not in name else summed(files)))
        with pytest.raises(UnreadableInputError) as caught:
            check_bundle(read_bundle(place))
        assert text in caught.value.detail, name


def test_a_bundle_of_before_is_verified_as_far_as_it_goes(bundle: bytes, place: Path) -> None:
    files = files_of(bundle)
    older = changed(files, MANIFEST, lambda said: said.update(form="heltig-bundle/1"))
    del older["study.json"]
    place.write_bytes(packed(sealed(older)))
    code, text = run(place)
    assert code == 0
    assert "README.txt, findings.csv, report.html: the bundle is of a form that tells too little" in text
    other = changed(files, MANIFEST, lambda said: said.update(heltig="0.0.9"))
    place.write_bytes(packed(sealed(other)))
    code, text = run(place)
    assert code == 0
    assert "report.html, metadata.json: version 0.0.9 wrote them" in text


def test_a_redacted_bundle_is_whole_and_names_nobody(home: Path, place: Path) -> None:
    found: list[JudgedStudy] = []

    async def write(store: Store) -> bytes:
        found.append(await study_of(store, uid_of("two-patient-ids"), None, now=NOW))
        return await written(store, found[0], Parts(identifiers=False))

    place.write_bytes(in_store(home, write))
    code, text = run(place)
    assert code == 11
    assert "NOT JUDGED AGAIN" in text
    content = b"".join(files_of(place.read_bytes()).values()).decode("utf-8", "replace")
    about = found[0].study.attributes
    secrets = [about.accession_number, *(p.patient_id for p in about.patients)]
    secrets += [p.patient_name for p in about.patients]
    assert all(secrets)
    assert not [secret for secret in secrets if secret in content]
    other = {**files_of(place.read_bytes()), "report.html": b"READY"}
    place.write_bytes(packed(sealed(other)))
    with pytest.raises(UnreadableInputError, match=r"report\.html is not"):
        check_bundle(read_bundle(place))


def forged(place: Path, *, profile: Profile = DEFAULT, drops_facts: bool = False) -> dict[str, bytes]:
    """A bundle that is judged anew of other inputs, and says so everywhere."""
    bundle, files = read_bundle(place), files_of(place.read_bytes())
    assert bundle.evidence is not None
    snapshot, _ = checking._snapshot(bundle.evidence)
    facts = () if drops_facts else bundle.judgement.inputs.index_facts
    inputs, verdict = score_again(snapshot, profile, index_facts=facts, waivers=())
    judgement = msgspec.structs.replace(bundle.judgement, verdict=verdict, inputs=inputs)
    manifest = msgspec.structs.replace(
        bundle.manifest,
        readiness=verdict.readiness,
        verdict=verdict.id,
        profile=ProfileName(profile.name, profile.hash),
    )
    bundle = msgspec.structs.replace(bundle, judgement=judgement, manifest=manifest, profile=profile.text)
    files |= {VERDICT: form.as_json(judgement), MANIFEST: form.as_json(manifest), PROFILE: profile.text}
    return files | {name: b"".join(content) for name, content in remaking._made(bundle, snapshot)}


def test_a_verdict_made_of_other_inputs_is_not_that_of_the_trail(home: Path, place: Path) -> None:
    """Whoever changes profile or facts makes the verdict anew; the trail tells which one was given."""
    relaxed = Profile(off=frozenset({"PAT-ID-CONFLICT"}))
    for study, at, told, forge in (
        ("two-patient-ids", "main", "NOT default as it is shipped", {"profile": relaxed}),
        ("count-mismatch", "teaching", "0 facts about other studies", {"drops_facts": True}),
    ):

        async def write(store: Store, name: str = study, archive: str = at) -> bytes:
            found = await study_of(store, uid_of(name), Location("archive", archive), now=NOW)
            return await written(store, found)

        place.write_bytes(in_store(home, write))
        files = forged(place, **forge)  # type: ignore[arg-type]
        place.write_bytes(packed(sealed(files)))
        with pytest.raises(UnreadableInputError, match="tells of another verdict"):
            check_bundle(read_bundle(place))
        place.write_bytes(packed(sealed({**files, "audit.ndjson": b""})))
        code, text = run(place)
        assert code == 0
        assert told in text
        assert "audit.ndjson, which does not tell of this verdict" in text
        left_out = changed(files, MANIFEST, lambda said: said.update(leftOut={"audit": "the auditor has it"}))
        del left_out["audit.ndjson"]
        place.write_bytes(packed(sealed(left_out)))
        assert "Left out, as it says: audit: the auditor has it." in run(place)[1]


def test_the_command_writes_and_verifies(home: Path, place: Path) -> None:
    def command(*arguments: str) -> int:
        return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home)}).exit_code

    assert command("bundle", uid_of(STUDY), str(place)) == 0
    code, text = run(place)
    assert code == 0
    (anchor,) = re.findall(r"`heltig audit verify --anchor ([0-9]+:[0-9a-f]{64})` at the site", text)
    assert command("audit", "verify", "--anchor", anchor) == 0
    assert command("audit", "verify", "--anchor", anchor[:-4] + "0000") == 9
    first = place.read_bytes()
    assert command("bundle", uid_of(STUDY), str(place)) == 0
    assert place.read_bytes() == first
    assert command("bundle", uid_of(STUDY), str(place), "--redact") == 0
    assert command("verify", str(place)) == 11
