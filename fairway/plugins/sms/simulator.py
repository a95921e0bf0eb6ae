"""The provider for development: a phone in the browser, and no vendor.

Below `path` + `phone/` stands a page that texts the site and shows what it answers.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from fairway.kit import (
    ConfigurationError,
    Exchange,
    Host,
    RemoteProtocolError,
    RequestHead,
    Timer,
    check_origin,
)
from fairway.plugins.sms import segments
from fairway.plugins.sms.numbers import normalized
from fairway.plugins.sms.provider import (
    Incoming,
    Outgoing,
    Provider,
    Sent,
    Status,
    TakeIncoming,
    TakeStatus,
)
from fairway.plugins.sms.simulator_feeds import Feeds, event
from fairway.plugins.sms.simulator_phones import Phones, Text
from fairway.plugins.sms.spec import SmsConfig

__all__ = ["SimulatorProvider"]

_SECTION = 'FAIRWAY["PLUGINS"]["sms"]'
_PAGE = Path(__file__).with_name("phone")
_FILES = {
    "phone/": ("index.html", b"text/html; charset=utf-8"),
    "phone/phone.css": ("phone.css", b"text/css; charset=utf-8"),
    "phone/phone.js": ("phone.js", b"text/javascript; charset=utf-8"),
}
_ON_ITS_WAY = 0.6
"""Seconds until a phone has a text that left."""
_MOST_UNITS = 1_600
"""UTF-16 units of a text that is typed."""
_DEFAULT = "+15005550006"
_HEADERS = (
    (
        b"content-security-policy",
        b"; ".join(
            (
                b"default-src 'none'",
                b"script-src 'self'",
                b"style-src 'self'",
                b"connect-src 'self'",
                b"base-uri 'none'",
                b"form-action 'none'",
                b"frame-ancestors 'self'",
            )
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_MOST_FIELDS = 20
_JSON = (b"content-type", b"application/json")

_T = TypeVar("_T")


class _Typed(Struct, forbid_unknown_fields=True):
    """What the page sends when somebody texts."""

    number: str
    text: str
    to: str = ""


class _Switched(Struct, forbid_unknown_fields=True):
    """What the page sends when a phone is switched on or off."""

    number: str
    reachable: bool


class SimulatorProvider(Provider):
    """Texts go to phones that a page shows; each server has its own."""

    name: ClassVar[str] = "simulator"
    longest: ClassVar[int] = _MOST_UNITS

    def __init__(
        self, config: SmsConfig, host: Host, incoming: TakeIncoming, status: TakeStatus
    ) -> None:
        super().__init__(config, host, incoming, status)
        if not (host.site.debug or config.options.get("without_debug") is True):
            raise ConfigurationError(
                f'{_SECTION}["provider"]',
                "is 'simulator', whose page lets everybody text as anybody; set DEBUG, "
                'or "options": {"without_debug": True}',
            )
        self._ours = config.sender or [_DEFAULT]
        self._run = uuid.uuid4().hex
        """What makes ids differ from those of other servers and other days."""
        self._phones = Phones()
        self._feeds = Feeds()
        self._timers: set[Timer] = set()
        self._posts: dict[str, Callable[[bytes], Awaitable[tuple[int, bytes]]]] = {
            "phone/texts/": self._typed,
            "phone/reception/": self._switched,
        }

    async def stop(self) -> None:
        """End the streams to pages, and forget what is on its way."""
        for timer in self._timers:
            timer.cancel()
        self._feeds.stop()

    async def send(self, message: Outgoing) -> Sent:
        """Show a text on its phone, and report on it in a moment."""
        text = self._show(
            phone=message.to,
            ours=message.sender,
            incoming=True,
            text=message.text,
            media=message.media,
        )
        self._report_soon(text)
        return Sent(id=self._id(text), segments=segments.count(message.text))

    def _report_soon(self, text: Text) -> None:
        def report() -> None:
            self._timers.discard(timer)
            reachable = self._phones.is_reachable(text.phone)
            text.status = "delivered" if reachable else "undelivered"
            self._feeds.tell(text.phone, event("text", text))
            status = Status(id=self._id(text), to=text.phone, status=text.status)
            self.host.spawn(self._report(status))

        clock = self.host.clock
        timer = clock.call_at(clock.now() + _ON_ITS_WAY, report)
        self._timers.add(timer)

    async def _report(self, status: Status) -> None:
        await self.status(status)

    def _show(
        self,
        *,
        phone: str,
        ours: str,
        incoming: bool,
        text: str,
        media: tuple[str, ...] = (),
    ) -> Text:
        shown = Text(
            n=self._phones.next_number(),
            phone=phone,
            ours=ours,
            incoming=incoming,
            text=text,
            media=media,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._phones.add(shown)
        self._feeds.tell(phone, event("text", shown))
        return shown

    # The page.

    async def webhook(self, exchange: Exchange, body: bytes) -> None:
        """Answer the page's requests.

        Raises:
            RemoteProtocolError: 403 for pages of other sites, 404, 405, 415, or 400 for
                what no page sends.
        """
        head = exchange.head
        self._check_site(head)
        place = head.path.removeprefix(self.config.path)
        if place in self._posts:
            _check_method(head, "POST")
            kind = head.header(b"content-type") or b""
            if kind.partition(b";")[0].strip().lower() != b"application/json":
                raise RemoteProtocolError("send application/json", status=415)
            status, answer = await self._posts[place](body)
            exchange.respond(status, (*_HEADERS, _JSON), answer)
        elif place == "phone/events/":
            _check_method(head, "GET")
            self._open_feed(exchange)
        elif place in _FILES:
            _check_method(head, "GET")
            name, kind = _FILES[place]
            content = await self.host.blocking((_PAGE / name).read_bytes)
            exchange.respond(200, (*_HEADERS, (b"content-type", kind)), content)
        else:
            raise RemoteProtocolError("nothing is here", status=404)

    def _check_site(self, head: RequestHead) -> None:
        """Refuse pages of other sites, also those whose name leads to this address."""
        check_origin(head, None, self.host.site)
        host = head.header(b"host") or b""
        named = [(b"origin", b"http://" + host), (b"host", host)]
        check_origin(msgspec.structs.replace(head, headers=named), None, self.host.site)

    async def _typed(self, body: bytes) -> tuple[int, bytes]:
        typed = _read(body, _Typed)
        number = _number(typed.number)
        to = typed.to or self._ours[0]
        if to not in self._ours:
            raise RemoteProtocolError("texts go to the site's own numbers", status=400)
        if not typed.text or _units(typed.text) > _MOST_UNITS:
            raise RemoteProtocolError("no text, or too long a one", status=400)
        text = self._show(phone=number, ours=to, incoming=False, text=typed.text)
        incoming = Incoming(id=self._id(text), sender=number, to=to, text=typed.text)
        taken = await self.incoming(incoming)
        text.status = "delivered" if taken else "failed"
        self._feeds.tell(number, event("text", text))
        return (202 if taken else 503), msgspec.json.encode(text)

    async def _switched(self, body: bytes) -> tuple[int, bytes]:
        switched = _read(body, _Switched)
        number = _number(switched.number)
        self._phones.switch(number, switched.reachable)
        self._feeds.tell(number, self._state("phone", number))
        return 200, b"{}"

    def _open_feed(self, exchange: Exchange) -> None:
        number = _number(_queried(exchange.head))
        history = (event("text", text) for text in self._phones.texts(number))
        headers = (*_HEADERS, (b"content-type", b"text/event-stream"))
        begin = self._state("begin", number) + b"".join(history)
        if not self._feeds.open(number, exchange, headers, begin):
            raise RemoteProtocolError("too many pages are open", status=503)

    def _state(self, name: str, number: str) -> bytes:
        reachable = self._phones.is_reachable(number)
        return event(name, {"ours": self._ours, "reachable": reachable})

    def _id(self, text: Text) -> str:
        return f"{self._run}-{text.n}"


def _check_method(head: RequestHead, method: str) -> None:
    if head.method != method:
        raise RemoteProtocolError(method, status=405)


def _number(text: str) -> str:
    try:
        return normalized(text)
    except ValueError as error:
        raise RemoteProtocolError(
            "a number begins with + and its country's code", status=400
        ) from error


def _queried(head: RequestHead) -> str:
    """Return the number that a page asks for: `?number=%2B46...`."""
    fields = parse_qs(head.query_string.decode("latin-1"), max_num_fields=_MOST_FIELDS)
    return fields.get("number", [""])[0]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _read(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RemoteProtocolError("not what the page sends", status=400) from error
