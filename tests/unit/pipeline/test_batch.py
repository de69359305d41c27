"""The studies of one batch are held against one another as those of one location are."""

from datetime import date

import pytest
from servers.dicomweb import study
from unit.pipeline.scoring import scoring, table_of
from unit.pipeline.test_context import JANE, MARY, PAIRS, images, rules_of, standing

from heltig.pipeline.again.rejudge import rejudge_queued
from heltig.pipeline.batch import batch_facts, entry_of
from heltig.pipeline.judging import judge
from heltig.rules.profile import DEFAULT
from heltig.store.engine import Store
from heltig.store.records import Location

HERE = Location("archive", "main")


def facts_of(*contents):
    tables = [table_of(content) for content in contents]
    for table in tables:
        table.arrange()
    return batch_facts(map(entry_of, tables)), tables


@pytest.mark.parametrize("rule", PAIRS)
def test_each_study_of_a_pair_is_told_of_the_other(rule: str) -> None:
    facts, tables = facts_of(*PAIRS[rule])
    for table in tables:
        judged = judge(table, DEFAULT, reference_date=date(2026, 3, 4), index_facts=facts[table.key])
        assert [f.rule for f in judged.verdict.findings if f.level == "context"] == [rule]


def test_the_order_does_not_matter() -> None:
    contents = [content for pair in PAIRS.values() for content in pair]
    renamed = [images(f"1.{n}", accession="A1", frame="1.5", **JANE) for n in range(1, 4)]
    assert facts_of(*renamed)[0] == facts_of(*reversed(renamed))[0]
    assert facts_of(*contents[:2])[0] == facts_of(*contents[1::-1])[0]


def test_studies_with_nothing_in_common_are_told_nothing() -> None:
    assert facts_of(study("1.1", patient="A"), study("1.2", patient="B"))[0] == {}


@pytest.mark.parametrize("crowded", [False, True])
async def test_a_batch_says_what_the_store_says_of_one_location(
    store: Store, crowded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if crowded:
        for module in ("rules.index_facts", "store.relations", "pipeline.batch"):
            monkeypatch.setattr(f"heltig.{module}.MOST", 1)
    contents = [
        images("1.1", series="1.9", accession="A1", frame="1.5", patient="A", **JANE),
        images("1.2", series="1.9", accession="A1", frame="1.5", patient="A", **MARY),
        images("1.3", accession="A1", frame="1.6", patient="B", **JANE),
        images("1.4", sop="1.3.1.1", count=1, frame="1.6", patient="C", **MARY),
    ]
    using = scoring(store)
    for content in contents:
        await using.score(table_of(content), HERE)
    await rejudge_queued(using)
    facts, _ = facts_of(*contents)
    found = await standing(store, *((HERE, f"1.{n}") for n in range(1, 5)))
    for (_, key), verdict in found.items():
        said = [(fact.kind, fact.value, fact.study, fact.uids, fact.is_crowd) for fact in facts[key]]
        kept = verdict.inputs.index_facts
        assert said == [(fact.kind, fact.value, fact.study, fact.uids, fact.is_crowd) for fact in kept]
        assert rules_of(verdict)
