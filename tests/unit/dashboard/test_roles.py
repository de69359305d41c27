"""What each role is offered: nothing that it is refused."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from unit.api.service import Service
from unit.dashboard.reading import page
from unit.store import pulling
from unit.store.samples import finding

from heltig.auth.principal import ROLES
from heltig.dashboard.navigation import PLACES

_SOME_ID = re.compile(r"\d[\d.]*|[A-Z]+(-[A-Z0-9]+)+")


_BY_EVIDENCE = ("/api/", "/studies/1.2/")
"""What shows the evidence of a study, of which the sample has none."""


@pytest.mark.parametrize("role", ROLES)
async def test_every_link_may_be_followed(guarded: Service, role: str) -> None:
    await pulling.add_archive(guarded.services.store, "main")
    await pulling.put_breaker(guarded.services.store, "main")
    await pulling.put_job(guarded.services.store, "pull", "main", state="dead", key="archive:main 1.2")
    await guarded.judged("1.2", finding("VAL-CS", "block"), readiness="BLOCKED")
    key = {**await guarded.key(role), "Accept": "text/html"}
    places = [f"/{place.path}" for group in PLACES for place in group]
    left = [path for path in places if (await guarded.get(path, headers=key)).status_code == 200]
    assert left, "every role has something to look at"
    seen = set(map(_kind, left))
    while left:
        here = left.pop()
        answer = await guarded.get(here, headers=key)
        assert answer.status_code == 200, f"{role}: {here}"
        for link in page(answer).all("a"):
            to = urlsplit(urljoin(here, str(link["href"])))
            path = to.path + (f"?{to.query}" if to.query else "")
            if not to.path.startswith(_BY_EVIDENCE) and _kind(path) not in seen:
                seen.add(_kind(path))
                left.append(path)


def _kind(path: str) -> str:
    """A path without what differs from one study, job or rule to the next."""
    return _SOME_ID.sub("N", path.partition("?")[0])
