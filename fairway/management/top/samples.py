"""Figures at one moment: metrics of processes, and what the channel layer knows."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from typing import Any, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from fairway.core.bus.layer import ChannelLayer, ChannelStatistics, Reader
from fairway.core.exceptions import LayerUnavailable
from fairway.core.settings import Secret

__all__ = ["Moment", "Process", "look"]

_PATIENCE = 2.0
"""Seconds for the answer of one process."""
_MOST = 8 * 1024 * 1024
"""Bytes of one answer."""

Labels: TypeAlias = tuple[tuple[str, str], ...]


class Process(Struct, frozen=True):
    """What one process told."""

    name: str
    """Host and port."""
    at: float
    """When, in seconds of a steady clock."""
    values: Mapping[str, Mapping[Labels, float]] = {}
    """Name of a sample, such as `fairway_events_total`, to its labels and values."""
    error: str = ""
    """Why it told nothing."""

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the sums of a sample by some of its labels; empty where it is not."""
        sums: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for pairs, value in self.values.get(name, {}).items():
            table = dict(pairs)
            sums[tuple(table.get(label, "") for label in labels)] += value
        return dict(sums)


class Moment(Struct, frozen=True):
    """All figures of one moment."""

    layer: str
    """Its address without secrets."""
    trouble: str
    """Why the layer told nothing."""
    queues: Mapping[str, ChannelStatistics]
    readers: Sequence[Reader] | None
    """Who takes from queues, None when that is unknown."""
    processes: Sequence[Process]


class _Straight(HTTPRedirectHandler):
    """Follows nobody: the token is for the place that was named."""

    def redirect_request(self, *args: Any) -> None:
        """Refuse."""


_opener = build_opener(ProxyHandler({}), _Straight)


def look(
    layer: ChannelLayer,
    channels: Sequence[str],
    urls: Sequence[str],
    token: Secret | None,
) -> Moment:
    """Ask the layer and every process.

    Args:
        token: sent to the places that interface servers have for metrics.
    """
    processes = [_ask(url, token) for url in urls]
    queues: Mapping[str, ChannelStatistics] = {}
    readers: Sequence[Reader] | None = None
    trouble = ""
    try:
        queues, readers = layer.statistics(channels), layer.readers()
    except LayerUnavailable as error:
        trouble = error.reason
    return Moment(layer.url, trouble, queues, readers, processes)


def _ask(url: str, token: Secret | None) -> Process:
    parts = urlsplit(url)
    request = Request(url)
    if token is not None and parts.path == "/-/metrics":
        request.add_header("Authorization", f"Bearer {token.reveal()}")
    try:
        with _opener.open(request, timeout=_PATIENCE) as answer:
            text = answer.read(_MOST).decode("utf-8", "replace")
        values = _values(text)
    except HTTPError as error:
        error.close()
        return Process(parts.netloc, time.monotonic(), error=f"answers {error.code}")
    except URLError as error:
        return Process(parts.netloc, time.monotonic(), error=str(error.reason))
    except (OSError, ValueError, HTTPException) as error:
        return Process(parts.netloc, time.monotonic(), error=str(error))
    return Process(parts.netloc, time.monotonic(), values)


def _values(text: str) -> dict[str, dict[Labels, float]]:
    found: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
    for name, labels, value in _samples(text):
        found[name][labels] = value
    return dict(found)


def _samples(text: str) -> Iterator[tuple[str, Labels, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("fairway_"):
                labels = tuple(sorted(sample.labels.items()))
                yield sample.name, labels, sample.value
