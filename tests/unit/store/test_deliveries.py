"""What is queued for webhooks, in the transaction of the change that it tells of."""

from typing import Any

import pytest
from unit.store.samples import MAIN, NOW, OTHER, STUDY, finding, judge, put_judged_with, snapshot, verdict

from heltig.store import deliveries, publication, snapshots, states, webhooks
from heltig.store.deliveries import Delivery
from heltig.store.engine import Store
from heltig.store.records import NewVerdict
from heltig.store.transaction import WriteTransaction
from heltig.store.webhooks import Webhook, WebhookOptions


async def hook(store: Store, name: str = "ris", **options: Any) -> Webhook:
    of = WebhookOptions(secrets=("env:HELTIG_SECRET_A",), **options)
    made = Webhook(name=name, url="http://ris.example/", options=of)
    await store.write(webhooks.add, made)
    return await store.read(webhooks.find, name)


async def told(store: Store, webhook: Webhook) -> list[Delivery]:
    return (await store.read(deliveries.newest, webhook))[::-1]


async def test_a_change_is_told_once_to_each_and_in_order(store: Store) -> None:
    one, other = await hook(store), await hook(store, "other")
    await judge(store, snapshot())
    await judge(store, snapshot(study="1.2.3"))
    for webhook in (one, other):
        found = await told(store, webhook)
        assert [(d.event, d.about, d.state) for d in found] == [
            ("verdict", 1, "waiting"),
            ("verdict", 2, "waiting"),
        ]
    names = [d.delivery for webhook in (one, other) for d in await told(store, webhook)]
    assert len(set(names)) == 4


async def test_nothing_is_told_of_what_was_rolled_back(store: Store) -> None:
    webhook = await hook(store)
    await store.write(put_judged_with)
    put = await store.write(snapshots.put, snapshot())

    def publish_and_fail(transaction: WriteTransaction, new: NewVerdict) -> None:
        publication.publish(transaction, new)
        raise KeyError

    with pytest.raises(KeyError):
        await store.write_durably(publish_and_fail, verdict(put))
    assert await told(store, webhook) == []

    def within(transaction: WriteTransaction, new: NewVerdict) -> None:
        with pytest.raises(KeyError), transaction.nested():
            publish_and_fail(transaction, new)

    await store.write_durably(within, verdict(put))
    assert await told(store, webhook) == []
    await store.write_durably(publication.publish, verdict(put))
    assert len(await told(store, webhook)) == 1


async def test_the_bell_rings_after_the_commit_where_somebody_is_told(store: Store) -> None:
    rung: list[str] = []
    store.on_jobs(rung.append)
    await judge(store, snapshot())
    assert rung == []
    await hook(store)
    await judge(store, snapshot(study="1.2.3"))
    assert rung == ["webhook"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"locations": ("archive:main",)}, [1, 3, 4]),
        ({"locations": ("archive:other", "gate:main")}, [2]),
        ({"locations": ("archive",)}, [1, 2, 3, 4]),
        ({"locations": ("upload",)}, []),
        ({"to_readiness": ("BLOCKED",)}, [3]),
        ({"from_readiness": ("NONE",)}, [1, 2]),
        ({"from_readiness": ("READY",), "to_readiness": ("BLOCKED", "NEEDS_REVIEW")}, [3]),
        ({"from_readiness": ("BLOCKED",), "to_readiness": ("NONE",)}, [4]),
        ({"events": ("alerts",)}, []),
        ({"events": ("disk-low", "verdict")}, [1, 2, 3, 4]),
    ],
)
async def test_only_what_it_wants(store: Store, options: dict[str, Any], expected: list[int]) -> None:
    webhook = await hook(store, **options)
    await judge(store, snapshot())
    await judge(store, snapshot(location=OTHER))
    await judge(store, snapshot(facts=b"others"), finding(), readiness="BLOCKED")
    await store.write_durably(states.withdraw, MAIN, STUDY, at=NOW)
    assert [delivery.about for delivery in await told(store, webhook)] == expected


async def test_a_withdrawn_study_that_comes_again_had_its_last_verdict(store: Store) -> None:
    webhook = await hook(store, from_readiness=("READY",))
    await judge(store, snapshot())
    await store.write_durably(states.withdraw, MAIN, STUDY, at=NOW)
    await judge(store, snapshot(facts=b"others"))
    assert [delivery.about for delivery in await told(store, webhook)] == [2, 3]


async def test_a_paused_webhook_is_told_nothing(store: Store) -> None:
    webhook = await hook(store)
    await store.write(webhooks.stand, webhook, paused=True)
    await judge(store, snapshot())
    await store.write(webhooks.stand, webhook, paused=False)
    await judge(store, snapshot(study="1.2.3"))
    assert [delivery.about for delivery in await told(store, webhook)] == [2]


async def test_what_was_delivered_is_forgotten_but_for_the_last(store: Store) -> None:
    webhook = await hook(store)
    for number in range(5):
        await judge(store, snapshot(study=f"1.2.{number}"))
    newest = await store.read(deliveries.newest, webhook)

    def end(transaction: WriteTransaction) -> None:
        for delivery in newest[:4]:
            transaction.connection.exec_driver_sql(
                f"UPDATE jobs SET state = 'succeeded' WHERE id = {delivery.job}"  # noqa: S608
            )

    await store.write(end)
    assert await store.write(deliveries.forget, webhook, kept=2, before=NOW) == 2
    left = await store.read(deliveries.newest, webhook)
    assert [(d.about, d.state) for d in left] == [(5, "delivered"), (4, "delivered"), (1, "waiting")]


async def test_a_webhook_that_cannot_be_read_hinders_no_verdict(store: Store) -> None:
    webhook = await hook(store)

    def spoil(transaction: WriteTransaction) -> None:
        transaction.connection.exec_driver_sql("UPDATE webhooks SET options = '{\"secrets\": 7}'")

    await store.write(spoil)
    await judge(store, snapshot())
    assert await told(store, webhook) == []
    assert "cannot be read" in ((await store.read(webhooks.find, "ris")).error or "")
