"""Counts the requests that this process answered, for `/metrics`."""

from bisect import bisect_left
from collections import defaultdict
from typing import Final

EDGES: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds at which one bucket of the times ends and the next begins."""

NO_ROUTE: Final = "none"
"""What a request for which there is no route is counted under: what was asked for is nobody's business."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def known_method(method: str) -> str:
    """A method of HTTP; `other` for what is none: it is text that somebody sent."""
    return method if method in _METHODS else "other"


class RequestCounts:
    """Requests by route template, method and status. It can only grow by routes: paths are never counted.

    Attributes:
        answers: Number of answers by (method, route, status).
        buckets: Number of answers by route and how long they took; the last bucket has no end.
        seconds: The same times summed up, by route.
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str, int], int] = defaultdict(int)
        self.buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(EDGES) + 1))
        self.seconds: dict[str, float] = defaultdict(float)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request that was answered, or broken off.

        Args:
            method: Its method.
            route: Its route's path with the names of its parameters, empty where there is none.
            status: Of the answer.
            seconds: From the request to the end of the answer.
        """
        route = route or NO_ROUTE
        self.answers[known_method(method), route, status] += 1
        self.buckets[route][bisect_left(EDGES, seconds)] += 1
        self.seconds[route] += seconds
