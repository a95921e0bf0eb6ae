"""A view of an event's headers: names without case, values as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

__all__ = ["HeaderView"]


class HeaderView(Mapping[str, str]):
    """Headers by name.

    A name that came more than once has its values joined, cookies by `; ` and others by
    `, ` (RFC 9110, 5.3; RFC 6265, 5.4).
    """

    def __init__(self, headers: Sequence[Sequence[bytes]]) -> None:
        self._values: dict[str, str] = {}
        for raw_name, raw_value in headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            if name in self._values:
                separator = "; " if name == "cookie" else ", "
                value = f"{self._values[name]}{separator}{value}"
            self._values[name] = value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({sorted(self._values)})"
