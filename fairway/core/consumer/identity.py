"""Who a peer is: Django's sessions and users behind an event.

Knows content, cookies and session stores; what a consumer sees of it is in `message`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import CreateError, SessionBase
from django.contrib.sessions.backends.signed_cookies import (
    SessionStore as SignedCookieStore,
)
from django.http import HttpRequest
from django.http.cookie import parse_cookie
from django.utils.crypto import salted_hmac

from fairway.core.consumer.control import ConsumeLater
from fairway.core.content import Content
from fairway.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    # A site without django.contrib.auth cannot import its models.
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

__all__ = [
    "User",
    "delete_channel_session",
    "open_channel_session",
    "open_session",
    "save_channel_session",
    "save_session",
    "session_cookie",
    "user_of",
]

User: TypeAlias = "AbstractBaseUser | AnonymousUser"

_KEY_LENGTH = 32
"""Characters of Django's own session keys."""


def session_cookie(content: Content) -> str | None:
    """Return the site's session cookie among the headers of an event, if it has any."""
    for name, value in content.get("headers", ()):
        if name == b"cookie":
            cookies = parse_cookie(value.decode("latin-1"))
            if cookie := cookies.get(settings.SESSION_COOKIE_NAME):
                return cookie
    return None


def open_session(cookie: str | None) -> SessionBase:
    """Return the session of a cookie, read when it is first used; empty without one."""
    return _store(settings.SESSION_ENGINE)(cookie)


def save_session(session: SessionBase) -> None:
    """Save a changed session of the site, but never create one.

    Django's view of the site owns its cookie, so a session that would need another one
    (it ended meanwhile, or lives in the cookie) stays as it was.
    """
    if session.modified and session.session_key and not _in_cookie(session):
        session.save()


def open_channel_session(peer: str) -> SessionBase:
    """Return the session that belongs to a peer, read when it is first used.

    Raises:
        ConfigurationError: the site keeps its sessions in cookies.
    """
    session = _store(settings.SESSION_ENGINE)(_channel_key(peer))
    if _in_cookie(session):
        raise ConfigurationError(
            "SESSION_ENGINE",
            "keeps sessions in cookies, which a channel session cannot use; "
            "message.state needs no session",
        )
    return session


def save_channel_session(session: SessionBase, peer: str) -> bool:
    """Save a changed channel session; return whether it did.

    Raises:
        ConsumeLater: somebody else created it meanwhile.
    """
    if not session.modified:
        return False
    if session.session_key:
        session.save()
        return True
    # A store forgets a key that it cannot find; this session keeps the peer's.
    session._session_key = _channel_key(peer)
    try:
        session.save(must_create=True)
    except CreateError:
        raise ConsumeLater from None
    return True


def delete_channel_session(peer: str) -> None:
    """Delete the session that belongs to a peer."""
    open_channel_session(peer).delete(_channel_key(peer))


def user_of(session: SessionBase) -> User:
    """Return who is logged in to a session, with the session's hash verified."""
    request = HttpRequest()
    request.session = session
    # Django gives a session that was signed with an older SECRET_KEY another key: here
    # nobody could tell the browser, which would be logged out.
    vars(session)["cycle_key"] = _keep_key
    try:
        return cast("User", get_user(request))
    finally:
        del vars(session)["cycle_key"]


def _keep_key() -> None:
    """Stand for `cycle_key`."""


@lru_cache
def _store(engine: str) -> type[SessionBase]:
    return cast(type[SessionBase], import_module(engine).SessionStore)


def _in_cookie(session: SessionBase) -> bool:
    return isinstance(session, SignedCookieStore)


@lru_cache(maxsize=1024)
def _channel_key(peer: str) -> str:
    # Keyed, because whoever can compute it may present it as a session cookie.
    mac = salted_hmac("fairway.channel_session", peer, algorithm="sha256")
    return mac.hexdigest()[:_KEY_LENGTH]
