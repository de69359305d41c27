"""Reads a page as a browser would: tags with their attributes, and the text between them."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx
from unit.api.service import Service

_INLINE = {"a", "bdi", "code", "span", "strong", "time"}


class Page(HTMLParser):
    """A page.

    Attributes:
        tags: Every start tag with its attributes, in order.
        text: All text, white space as one space.
        source: The page as it came.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.source = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[str] = []
        self.feed(html)
        self.close()
        self.text = re.sub(r"\s+", " ", "".join(self._texts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _INLINE:
            self._texts.append(" ")

    def handle_data(self, data: str) -> None:
        self._texts.append(data)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of the tags of a kind that have some attributes."""
        return [found for name, found in self.tags if name == tag and attributes.items() <= found.items()]

    def rows(self) -> list[str]:
        """The addresses of the studies in the list."""
        return [str(link["href"]) for link in self.all("a") if "row-link" in str(link.get("class"))]


def page(answer: httpx.Response, status: int = 200) -> Page:
    """The page of an answer, which has to be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.text)


async def refused(service: Service, path: str, **sent: Any) -> Page:
    """The page that a refused form leads to: no answer to a POST stays in the history."""
    answer = await service.post(path, **sent)
    assert answer.status_code == 303, answer.text
    assert "answers=" in answer.headers["location"]
    where = urljoin(path, answer.headers["location"])
    return page(await service.get(where, headers=sent.get("headers")))
