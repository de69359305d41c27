"""Stored studies judged again: what is counted, what is written, and what is left alone."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from servers.dicomweb import study
from sqlalchemy import update
from unit.pipeline.scoring import NOW, ThisProcess

from connectors.base import InMemoryArchive
from heltig.errors import NotFoundError, StorageError
from heltig.pipeline.again.rescore import rescore
from heltig.pipeline.again.rescore_report import RescoreReport
from heltig.pipeline.again.rescore_selection import see_that_it_is_known
from heltig.pipeline.keep import Scoring
from heltig.pipeline.publish import prepared, render
from heltig.pipeline.pull.study import pull_study
from heltig.rules.catalogue import catalogue, ruleset_hash
from heltig.rules.profile import DEFAULT, Profile
from heltig.rules.profile_file import parse_profile
from heltig.store import changes, lookups, outdated, states
from heltig.store import tables as stored
from heltig.store.engine import Store
from heltig.store.outdated import Selection
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

HERE = Location("archive", "memory")
LATER = NOW + timedelta(hours=1)


def under_x() -> Profile:
    """A profile that has the rule SITE-X."""
    text = '[[rule]]\nid = "SITE-X"\ntitle = "x"\nattribute = "Modality"\nequals = "CT"\nmend = "y"'
    return parse_profile(text, known=catalogue(), name="site.toml")


def without(rule: str) -> Profile:
    return parse_profile(f'off = ["{rule}"]', known=catalogue(), name="site.toml")


def under(store: Store, profile: Profile, processes: ThisProcess | None = None, at: Any = NOW) -> Scoring:
    return Scoring(
        store, processes or ThisProcess(), profile=profile, clock=lambda: at, actor="test", origin="cli"
    )


@pytest.fixture
async def filled(store: Store) -> Store:
    """One study without fault, one of two patients, and one that is gone."""
    archive = InMemoryArchive()
    two = study("1.3")
    two[0] = {**two[0], "00100020": {"vr": "LO", "Value": ["OTHER"]}}
    for one in (*study("1.2"), *two, *study("1.4")):
        archive.store(one)
    for uid in ("1.2", "1.3", "1.4"):
        await under(store, DEFAULT).score(await pull_study(archive, uid), HERE)
    await store.write_durably(states.withdraw, HERE, "1.4", at=NOW)
    return store


async def again(
    store: Store,
    profile: Profile,
    *,
    dry_run: bool = False,
    processes: ThisProcess | None = None,
    **selection: Any,
) -> RescoreReport:
    return await rescore(
        under(store, profile, processes, LATER),
        profile,
        Selection(**selection),
        dry_run=dry_run,
        since=NOW,
        at_once=2,
    )


async def sequence(store: Store) -> int:
    return await store.read(changes.latest)


async def test_the_same_ruleset_and_profile_leave_everything_alone(filled: Store) -> None:
    processes, before = ThisProcess(), await sequence(filled)
    report = await again(filled, DEFAULT, processes=processes)
    assert (report.studies, report.unchanged, report.changed, report.moved) == (2, 2, 0, 0)
    assert processes.calls == []
    assert await sequence(filled) == before


async def test_a_dry_run_says_what_would_become_of_each_and_writes_nothing(filled: Store) -> None:
    before = await sequence(filled)
    dry = await again(filled, without("PAT-ID-CONFLICT"), dry_run=True)
    assert await sequence(filled) == before
    [move] = dry.moves
    assert (move.location, move.study, move.before) == ("archive:memory", "1.3", "BLOCKED")
    assert move.after != "BLOCKED"
    assert "PAT-ID-CONFLICT" in move.before_rules
    assert "PAT-ID-CONFLICT" not in move.after_rules
    assert (dry.studies, dry.unchanged, dry.moved) == (2, 1, 1)
    [count] = [rule for rule in dry.rules if rule.before != rule.after]
    assert (count.rule, count.before, count.after, count.studies) == ("PAT-ID-CONFLICT", 1, 0, 1)
    real = await again(filled, without("PAT-ID-CONFLICT"))
    assert real == msgspec.structs.replace(dry, dry_run=False)
    assert await sequence(filled) == before + 2  # another profile is another verdict


async def test_a_run_that_was_interrupted_goes_on_and_tells_all(filled: Store) -> None:
    profile = without("PAT-ID-CONFLICT")
    await again(filled, profile, study_key="1.3")
    processes = ThisProcess()
    report = await again(filled, profile, processes=processes)
    assert processes.calls == ["score_again"]
    assert [move.study for move in report.moves] == ["1.3"]
    once_more = await rescore(
        under(filled, profile), profile, Selection(), dry_run=False, since=LATER, at_once=1
    )
    assert (once_more.unchanged, once_more.moves) == (2, ())


async def test_of_two_runs_at_once_each_tells_what_it_changed_itself(filled: Store) -> None:
    """The store has one of them give each verdict; both see the former one."""
    profile = without("PAT-ID-CONFLICT")

    class Together(ThisProcess):
        """Both judge before one of them publishes."""

        barrier = asyncio.Barrier(2)

        async def run(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
            await self.barrier.wait()
            return await super().run(work, *args, **kwargs)

    async def run() -> RescoreReport:
        scoring = under(filled, profile, Together(), LATER)
        selection = Selection(study_key="1.3")
        return await rescore(scoring, profile, selection, dry_run=False, since=None, at_once=1)

    reports = await asyncio.gather(run(), run())
    assert sorted((report.moved, report.unchanged) for report in reports) == [(0, 1), (1, 0)]


async def test_a_new_run_does_not_tell_what_another_one_did(filled: Store) -> None:
    profile = without("PAT-ID-CONFLICT")
    await again(filled, profile)
    new = await rescore(under(filled, profile), profile, Selection(), dry_run=False, since=None, at_once=1)
    assert (new.unchanged, new.moves) == (2, ())


async def test_studies_are_selected(filled: Store) -> None:
    for selection, number in (
        ({"location": HERE}, 2),
        ({"location": Location("archive", "other")}, 0),
        ({"study_key": "1.2"}, 1),
        ({"study_key": "1.4"}, 0),
        ({"rule": "PAT-ID-CONFLICT"}, 1),
        ({"rule": "PAT-ID-CONFLICT", "study_key": "1.2"}, 0),
    ):
        assert (await again(filled, without("PAT-SPECIES"), dry_run=True, **selection)).studies == number


async def test_a_study_that_fails_is_named_and_the_others_are_judged(filled: Store) -> None:
    class Dying(ThisProcess):
        async def run(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
            if args[0].study_key == "1.2":
                raise StorageError("A process that judges died.")
            return await super().run(work, *args, **kwargs)

    report = await again(filled, without("PAT-ID-CONFLICT"), processes=Dying())
    [failure] = report.failed
    assert (failure.study, failure.error) == ("1.2", "A process that judges died.")
    assert (report.studies, report.moved) == (2, 1)


async def test_what_is_gone_is_told_apart_from_what_is_wrong(filled: Store) -> None:
    class Losing(ThisProcess):
        """Whose judging finds nothing, as it does when a study is withdrawn meanwhile; 1.3 is not."""

        async def run(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
            if args[0].study_key == "1.2":
                await filled.write_durably(states.withdraw, HERE, "1.2", at=NOW)
            raise NotFoundError("It is not there.")

    report = await again(filled, without("PAT-ID-CONFLICT"), processes=Losing())
    assert (report.studies, report.unchanged) == (2, 1)
    [failure] = report.failed
    assert (failure.study, failure.error) == ("1.3", "It is not there.")


async def test_nothing_that_changed_is_hidden_by_equal_numbers(filled: Store) -> None:
    raised = parse_profile(
        '[severity]\nPAT-ID-CONFLICT = "block"\nSTU-ACCESSION-EMPTY = "review"',
        known=catalogue(),
        name="site.toml",
    )
    report = await again(filled, raised, dry_run=True)
    by_id = {rule.rule: rule for rule in report.rules}
    accession = by_id["STU-ACCESSION-EMPTY"]
    assert (accession.before, accession.after, accession.studies) == (2, 2, 2)
    assert (accession.severity_before, accession.severity_after) == (("note",), ("review",))
    assert by_id["PAT-ID-CONFLICT"].studies == 0
    told = {told.study: told.rules for told in (*report.moves, *report.changes)}
    assert sorted(told) == ["1.2", "1.3"]
    assert all("STU-ACCESSION-EMPTY" in rules and "PAT-ID-CONFLICT" not in rules for rules in told.values())


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ({"location": Location("archive", "other")}, "archive other"),
        ({"location": Location("upload", "other")}, "location upload:other"),
        ({"study_key": "9.9"}, "this study"),
        ({"study_key": "1.2", "location": Location("archive", "other")}, "archive other"),
        ({"rule": "PAT-ID-EMTY"}, "the nearest one is PAT-ID-EMPTY"),
    ],
)
async def test_a_selection_of_what_there_is_not_is_refused(
    filled: Store, selection: dict[str, Any], told: str
) -> None:
    with pytest.raises(NotFoundError, match=told):
        await filled.read(see_that_it_is_known, Selection(**selection), DEFAULT)
    await filled.read(
        see_that_it_is_known, Selection(location=HERE, study_key="1.2", rule="SITE-X"), under_x()
    )


async def test_prepared_answers_of_another_form_are_made_anew(filled: Store) -> None:
    def age(transaction: WriteTransaction) -> None:
        transaction.connection.execute(update(stored.lookups).values(form="0", body=b"old"))

    before = await filled.read(lookups.find_many, ["1.2", "1.3", "1.4"])
    await filled.write(age)
    number = await sequence(filled)
    assert (await again(filled, DEFAULT, dry_run=True)).rendered == 3
    assert (await again(filled, DEFAULT)).rendered == 3
    assert await filled.read(lookups.find_many, ["1.2", "1.3", "1.4"]) == before
    assert await filled.read(outdated.of_other_form, render.form) == 0
    assert await sequence(filled) == number


async def test_verdicts_of_another_ruleset_are_counted(filled: Store) -> None:
    assert await filled.read(outdated.of_older_ruleset, ruleset_hash()) == 0
    assert await filled.read(outdated.of_older_ruleset, "f" * 64) == 2


async def test_the_form_is_counted_up_when_answers_change(filled: Store) -> None:
    """Change `form` with what answers look like, and the second half of this with it."""
    found = await filled.read(lookups.find_many, ["1.3"])
    answer = prepared(found["1.3"][0].body)
    dataset = msgspec.json.decode(answer.dataset)
    items = dataset["00991010"]["Value"]
    assert (render.form, sorted(dataset), sorted(set().union(*items))) == (
        "2",
        ["00080005", "0020000D", "00990010", *(f"009910{n:02}" for n in range(1, 13))],
        ["00990010", *(f"0099102{n}" for n in range(7))],
    )


async def test_each_archive_is_judged_again_under_its_own_profile(filled: Store) -> None:
    own = without("PAT-ID-CONFLICT")

    async def profile_of(location: Location) -> Profile:
        return own if location == HERE else DEFAULT

    async def run() -> RescoreReport:
        scoring = Scoring(
            filled, ThisProcess(), profile=profile_of, clock=lambda: LATER, actor="test", origin="cli"
        )
        return await rescore(
            scoring,
            DEFAULT,
            Selection(),
            dry_run=False,
            since=LATER,
            at_once=2,
            profile_of=profile_of,
        )

    first = await run()
    assert (first.studies, first.moved + first.changed) == (2, 1)
    assert (first.profile, first.under_own_profiles) == ("default", 2)
    again = await run()
    assert (again.unchanged, again.moved + again.changed) == (2, 0)
    assert again.under_own_profiles == 2
