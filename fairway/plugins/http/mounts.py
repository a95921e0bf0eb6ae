"""Which mount a request belongs to, if any."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from fairway.kit import MountPoint

__all__ = ["Mounts", "NotAllowed"]


class NotAllowed(Struct, frozen=True):
    """Something is mounted there, for other methods."""

    allow: tuple[str, ...]


class Mounts:
    """The mounts on http.

    Upgrades and plain requests are looked up apart, so that a WebSocket and a POST may
    share a path. An upgrade that nobody mounts is served as a plain request, which RFC
    9110 section 7.8 allows; a plain request below an upgrade's mount belongs to http.

    Args:
        points: longest prefix first.
    """

    __slots__ = ("_plain", "_prefixes", "_upgrades")

    def __init__(self, points: Sequence[MountPoint]) -> None:
        self._plain = [point for point in points if point.upgrade is None]
        self._upgrades = [point for point in points if point.upgrade is not None]
        self._prefixes = tuple(point.prefix for point in self._plain)

    def match(
        self, method: str, path: str, upgrade: str
    ) -> MountPoint | NotAllowed | None:
        """Return where a request goes, None for http itself.

        Args:
            upgrade: what the request asks for, empty for nothing.
        """
        if upgrade:
            for point in self._upgrades:
                if (
                    point.upgrade == upgrade
                    and _is_below(path, point.prefix)
                    and _takes(point, method)
                ):
                    return point
        if not path.startswith(self._prefixes):
            return None
        allow: list[str] = []
        refused_prefix = ""
        for point in self._plain:
            if refused_prefix and point.prefix != refused_prefix:
                break
            if _is_below(path, point.prefix):
                if _takes(point, method):
                    return point
                refused_prefix = point.prefix
                allow.extend(point.methods)
        return NotAllowed(tuple(dict.fromkeys(allow))) if allow else None


def _is_below(path: str, prefix: str) -> bool:
    return path.startswith(prefix) and (
        prefix.endswith("/") or len(path) == len(prefix) or path[len(prefix)] == "/"
    )


def _takes(point: MountPoint, method: str) -> bool:
    return (
        not point.methods
        or method in point.methods
        or (method == "HEAD" and "GET" in point.methods)
    )
