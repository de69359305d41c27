"""Comments on a study and who sees to it: on its page, in the list, and by REST."""

from unit.api.service import Service
from unit.dashboard.reading import page
from unit.store.samples import finding

OURS = {"Sec-Fetch-Site": "same-origin"}
NAMES = "Seen with <b>Doe^Jane</b>"


async def test_said_withdrawn_and_owned_on_the_page(guarded: Service) -> None:
    await guarded.judged("1.2.3", finding(), readiness="BLOCKED")
    anna = {**await guarded.key("reviewer", name="anna"), **OURS}
    bob, admin = {**await guarded.key("qa_operator", name="bob"), **OURS}, await guarded.key("admin")
    reader = await guarded.key("reader")
    answer = await guarded.post("/studies/1.2.3/comments", headers=anna, data={"comment": NAMES})
    assert answer.status_code == 303
    seen = page(await guarded.get("/studies/1.2.3?done=commented", headers=bob))
    assert NAMES in seen.text  # escaped: as it was typed
    assert seen.all("textarea", name="comment")
    assert "key:anna" in seen.text
    assert not seen.all("a", href="../studies/1.2.3/comments/1/withdraw?location=archive%3Amain")
    assert not page(await guarded.get("/studies/1.2.3", headers=reader)).all("textarea")
    empty = await guarded.post("/studies/1.2.3/comments", headers=anna, data={"comment": " "})
    assert empty.status_code == 400
    for headers, status in ((bob, 403), (reader, 403), ({**admin, **OURS}, 303), (anna, 409)):
        answer = await guarded.post("/studies/1.2.3/comments/1/withdraw", headers=headers)
        assert answer.status_code == status, headers
    assert NAMES not in page(await guarded.get("/studies/1.2.3", headers=anna)).text
    [added], [gone] = await guarded.audit("comment.add"), await guarded.audit("comment.withdraw")
    assert (added.actor, added.detail) == ("key:anna", {"comment": 1})
    assert (gone.actor, gone.detail) == ("key:admin-", {"comment": 1, "author": "key:anna"})
