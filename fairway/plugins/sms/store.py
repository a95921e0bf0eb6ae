"""Small records that outlive every process, in the site's own session store.

So the plugin needs neither a table nor a setting of its own. Everything here may block,
belongs into a thread, and imports Django when it is called.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

__all__ = ["MemoryStore", "SessionStore", "Store", "open_store"]

_KEY_LENGTH = 32
"""Characters of Django's own session keys."""
_VALUE = "sms"

Name = tuple[str, ...]


class Store(typing.Protocol):
    """Keeps a value by name."""

    def read(self, name: Name) -> Any:
        """Return a value, None when there is none."""

    def write(self, name: Name, value: Any, seconds: int) -> None:
        """Keep a value, at least for so long."""

    def delete(self, name: Name) -> None:
        """Forget a value."""


class MemoryStore:
    """Keeps values as long as the process lives, where sessions keep nothing."""

    def __init__(self) -> None:
        self._values: dict[Name, Any] = {}

    def read(self, name: Name) -> Any:
        """Return a value, None when there is none."""
        return self._values.get(name)

    def write(self, name: Name, value: Any, seconds: int) -> None:
        """Keep a value."""
        self._values[name] = value

    def delete(self, name: Name) -> None:
        """Forget a value."""
        self._values.pop(name, None)


class SessionStore:
    """Keeps each value in a session of its own; its key is an HMAC of the name.

    Keyed, because whoever can compute it may present it as a session cookie. What was
    written with an older `SECRET_KEY` is found as long as that is among
    `SECRET_KEY_FALLBACKS`, and is written anew when it is found.
    """

    def __init__(self, engine: type[SessionBase]) -> None:
        self._engine = engine
        self._direct = _uncached(engine)

    def read(self, name: Name) -> Any:
        """Return a value, None when there is none."""
        with _connections():
            key, *former = _keys(name)
            if (value := self._load(key)) is not None:
                return value
            for old in former:
                data = self._direct.load(self._engine(old))
                if _VALUE in data:
                    self._save(key, data[_VALUE], data["_session_expiry"])
                    return data[_VALUE]
            return None

    def write(self, name: Name, value: Any, seconds: int) -> None:
        """Keep a value, at least for so long."""
        with _connections():
            key = next(_keys(name))
            self._save(key, value, seconds)
            if self._load(key) != value:  # that of files says nothing when it fails
                raise OSError("the site's session store does not keep what it is given")

    def delete(self, name: Name) -> None:
        """Forget a value."""
        with _connections():
            for key in _keys(name):
                self._direct.delete(self._engine(key), key)

    def _load(self, key: str) -> Any:
        return self._direct.load(self._engine(key)).get(_VALUE)

    def _save(self, key: str, value: Any, seconds: int) -> None:
        from django.contrib.sessions.backends.base import CreateError, UpdateError

        def save(*, must_create: bool) -> None:
            session = self._engine()
            session._session_key = key  # a store gives new sessions keys of its own
            session._session_cache = {_VALUE: value}  # type: ignore[attr-defined]
            session.set_expiry(seconds)
            self._direct.save(session, must_create=must_create)

        try:
            save(must_create=False)
        except UpdateError:
            try:
                save(must_create=True)
            except CreateError:  # somebody else did at this moment
                save(must_create=False)


def open_store() -> Store:
    """Return the store of the site's `SESSION_ENGINE`.

    Sessions in cookies keep nothing here; then it is the process's own memory, which
    the plugin's checks complain about.
    """
    from importlib import import_module

    from django.conf import settings
    from django.contrib.sessions.backends import signed_cookies

    engine = import_module(settings.SESSION_ENGINE).SessionStore
    if issubclass(engine, signed_cookies.SessionStore):
        return MemoryStore()
    return SessionStore(engine)


def _uncached(engine: type[SessionBase]) -> type[SessionBase]:
    """Return whose methods see what is stored: a server's cache may be out of date."""
    if not engine.__module__.endswith(".cached_db") and not any(
        base.__module__.endswith(".cached_db") for base in engine.__mro__
    ):
        return engine
    from django.contrib.sessions.backends import db

    return db.SessionStore


@contextmanager
def _connections() -> Iterator[None]:
    """Leave no broken connection to a database behind in a thread, nor start with one.

    As Django does around each request.
    """
    from django.db import close_old_connections

    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()


def _keys(name: Name) -> Iterator[str]:
    """Yield the keys of a name: by today's `SECRET_KEY`, and by former ones."""
    from django.conf import settings
    from django.utils.crypto import salted_hmac

    text = json.dumps(name)  # unambiguous: no two names give one text
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        mac = salted_hmac("fairway.sms", text, secret=secret, algorithm="sha256")
        yield mac.hexdigest()[:_KEY_LENGTH]
