"""A peer of any protocol, for tests of consumers without an interface server.

with ConsumerSite() as site:
    client = ConsumerClient(site)
    client.connect("/chat/lobby/", user=alice)
    client.send("hello")
    assert client.receive() == {"text": "hello"}
"""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.test import Client as DjangoClient

from fairway.core.bus import record
from fairway.core.bus.layer import Delivery
from fairway.core.bus.operations import Send
from fairway.core.content import (
    STATE,
    Content,
    Encoded,
    decode_content,
    encode_content,
)
from fairway.core.names import SHARED, encode_local
from fairway.testing.site import ConsumerSite

__all__ = ["ConsumerClient", "Refused"]


class Refused(Exception):
    """The site refused the connection.

    Attributes:
        content: the reply that said so.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        super().__init__(f"the connection was refused with {content}")


class ConsumerClient:
    """One peer.

    Args:
        protocol: the name of an enabled protocol.
        client: its display address; of a protocol with shared peers, such as sms, also
            what identifies the peer.
    """

    def __init__(
        self,
        site: ConsumerSite,
        protocol: str = "websocket",
        *,
        client: str = "192.0.2.1:50000",
    ) -> None:
        self.site = site
        self.protocol = protocol
        self.cookies: dict[str, str] = {}
        self.state: Content = {}
        """What consumers keep for the peer."""
        self.groups: set[str] = set()
        self.close_code: int | bool | None = None
        """What the site closed the connection with, None while it is open."""
        self._spec = site.plugins.protocols[protocol].spec
        shared = self._spec.peers == "shared"
        mailbox = f"{SHARED}{protocol}" if shared else f"test.{secrets.token_hex(6)}"
        local = encode_local(client) if shared else "1"
        self.reply_channel = f"{mailbox}!{local}"
        self._receiver = site.layer.receiver([f"{mailbox}!"])
        self._envelope: Content = {
            "reply_channel": self.reply_channel,
            "peer": f"{protocol}:{client if shared else mailbox}",
            "protocol": protocol,
            "client": client,
        }
        self._order = 0
        self._state: Encoded | None = None
        self._replies: deque[Content] = deque()
        if shared:
            site.shared[self.reply_channel] = self._replies

    def force_login(self, user: AbstractBaseUser, backend: str | None = None) -> None:
        """Log a user in to the site; the cookie goes with the first event."""
        browser = DjangoClient()
        browser.force_login(cast("Any", user), backend)
        name = settings.SESSION_COOKIE_NAME
        self.cookies[name] = browser.cookies[name].value

    def connect(
        self,
        path: str = "/",
        *,
        user: AbstractBaseUser | None = None,
        headers: Mapping[str, str] | None = None,
        **keys: Any,
    ) -> Content:
        """Connect and return the reply that accepted it.

        Args:
            path: may have a query string.
            user: is logged in to the site before.
            headers: beside the cookies.
            keys: the event's own, such as `subprotocols`.

        Raises:
            Refused: the site refused it.
            AssertionError: no consumer decided.
        """
        if user is not None:
            self.force_login(user)
        self.event("connect", **self._head(path, headers or {}), **keys)
        self._collect()
        if not self._replies:
            raise AssertionError(f"nobody accepted or refused {path!r}")
        answer = self._replies[0]
        says_something = "text" in answer or "bytes" in answer
        if not (answer.get("accept") or says_something):
            raise Refused(self._replies.popleft())
        return answer if says_something else self._replies.popleft()

    def request(
        self,
        path: str = "/",
        *,
        headers: Mapping[str, str] | None = None,
        event: str = "request",
        **keys: Any,
    ) -> Content:
        """Send a single event with a head, such as `http.request`; return the reply."""
        self.event(event, **self._head(path, headers or {}), **keys)
        return self.receive()

    def send(self, data: str | bytes | None = None, **keys: Any) -> None:
        """Send text or bytes, and run what they cause.

        Args:
            keys: the event's own.
        """
        if isinstance(data, str):
            keys["text"] = data
        elif data is not None:
            keys["bytes"] = data
        self.event("receive", **keys)
        # The next event goes with the state that this one left.
        self._collect()

    def send_json(self, value: object) -> None:
        """Send a value as JSON text."""
        self.send(json.dumps(value))

    def event(self, what: str, **keys: Any) -> None:
        """Put an event of the peer on its channel, and run what it causes."""
        channel = f"{self.protocol}.{what}"
        layer = self.site.layer
        if self._spec.ordering == "none":
            layer.send(
                channel, encode_content(self._envelope | self._news(keys) | keys)
            )
        else:
            event = encode_content({"order": self._order, **keys})
            layer.send_many(
                [
                    Send(
                        channel,
                        encode_content(self._envelope),
                        events=(event,),
                        order=self._order,
                        state=self._state,
                    )
                ]
            )
        self._order += 1
        self.site.run()

    def receive(self) -> Content:
        """Return the next reply.

        Raises:
            AssertionError: nothing was sent to this peer.
        """
        self._collect()
        if not self._replies:
            raise AssertionError(f"nothing was sent to {self.reply_channel}")
        return self._replies.popleft()

    def receive_json(self) -> Any:
        """Return the value of the next reply, a JSON text; raises as `receive`."""
        return json.loads(self.receive()["text"])

    @property
    def waiting(self) -> list[Content]:
        """The replies that were not received yet."""
        self._collect()
        return list(self._replies)

    def disconnect(self, **keys: Any) -> None:
        """Leave, and run what that causes.

        Args:
            keys: the event's own, such as `code`.
        """
        self._collect()
        # As a host does: a peer that has left is in no group.
        self.groups.clear()
        self._receiver.close()
        self.event("disconnect", **keys)

    def _news(self, keys: Mapping[str, Any]) -> Content:
        """Return what a host adds where events have no order."""
        if self._state is not None:
            return {STATE: self._state}
        fresh = self._order == 0 and "headers" not in keys
        return {"first": True} if fresh and self._spec.peers == "owned" else {}

    def _head(self, path: str, headers: Mapping[str, str]) -> Content:
        path, _, query = path.partition("?")
        self._envelope["path"] = path
        pairs = [
            [name.lower().encode("latin-1"), value.encode("latin-1")]
            for name, value in headers.items()
        ]
        if self.cookies:
            cookies = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
            pairs.append([b"cookie", cookies.encode("latin-1")])
        return {
            "query_string": query.encode("latin-1"),
            "headers": pairs,
            "scheme": "http",
            "server": ["testserver", 80],
        }

    def _collect(self) -> None:
        self.site.run()
        while taken := self._receiver.take(100, timeout=0):
            for delivery in taken:
                self._take(delivery)

    def _take(self, delivery: Delivery) -> None:
        match delivery.kind, delivery.body:
            case _, record.Message(local=local, content=content):
                mailbox, _, _ = self.reply_channel.partition("!")
                # A shared mailbox has replies for other peers, too.
                replies = self.site.shared.get(f"{mailbox}!{local}", self._replies)
                self._deliver(decode_content(content), replies)
            case _, record.Answer(content=content, state=state):
                self._deliver(decode_content(content), self._replies)
                self._keep(state)
            case _, record.GroupMessage(group, content, exclude):
                if group in self.groups and self.reply_channel not in exclude:
                    self._deliver(decode_content(content), self._replies)
            case record.Kind.ADD, record.Membership(group=group):
                self.groups.add(group)
            case record.Kind.DISCARD, record.Membership(group=group):
                self.groups.discard(group)
            case _, record.Done(state=state):
                self._keep(state)

    def _keep(self, state: bytes | None) -> None:
        if state is not None:
            self._state = bytes(state)
            self.state = decode_content(self._state)

    def _deliver(self, content: Content, replies: deque[Content]) -> None:
        if content.get("close"):
            self.close_code = content["close"]
        replies.append(content)
