"""The replies of one streamed response: a head, chunks, an end."""

from __future__ import annotations

import time

from fairway.kit import Channel, ChannelFull, Content
from fairway.plugins.http.body import CHUNK_SIZE, PATIENCE
from fairway.plugins.http.credit import Credit
from fairway.plugins.http.request import FairwayRequest

__all__ = ["ResponseStream"]

_FIRST_RETRY = 0.01
_LAST_RETRY = 1.0


class ResponseStream:
    """Sends a response in chunks, each at once and as soon as the host has room.

    Args:
        head: status and headers; they leave with the first chunk.
        length: bytes of the body where that is known; spares the reply that says that
            nothing follows.
    """

    def __init__(
        self, request: FairwayRequest, head: Content, length: int | None = None
    ) -> None:
        self.started = False
        self.ended = False
        self.credit = Credit(request.message.layer)
        self._message = request.message
        self._reply_channel: Channel = request.reply_channel
        self._head = head
        self._missing = length

    def write(self, data: bytes) -> None:
        """Send a part of the body.

        Raises:
            ClientLeft: nobody waits for it any more.
            ClientStalled: the client takes nothing.
            ChannelFull: the mailbox of the interface server stays full.
            LayerUnavailable: the layer cannot be reached.
        """
        data = data[: self._missing]
        for start in range(0, len(data), CHUNK_SIZE):
            chunk = data[start : start + CHUNK_SIZE]
            if self._missing is not None:
                self._missing -= len(chunk)
            self._send(chunk, more_content=self._missing != 0)

    def start(self) -> None:
        """Send the head before there is any body; raises like `write`."""
        self._send(b"", more_content=True)

    def finish(self) -> None:
        """Say that nothing follows; raises like `write`.

        Raises:
            ValueError: the body is shorter than announced.
        """
        if self.ended:
            return
        if self._missing:
            raise ValueError(f"the body ended {self._missing} bytes before its length")
        self._send(b"", more_content=False)

    def abort(self) -> None:
        """Cut the connection, so that the client sees that something is missing.

        Raises:
            FairwayError: the host cannot be told.
        """
        self._reply_channel.send({"abort": True}, immediately=True)

    def close(self) -> None:
        """Give everything back."""
        self.credit.close()

    def _send(self, chunk: bytes, *, more_content: bool) -> None:
        content: Content = {"content": chunk, "more_content": more_content}
        if not self.started:
            # The view has decided; what it told others must not wait for its stream.
            self._message.send_held()
            content |= self._head
            if more_content:
                content["credit_channel"] = self.credit.channel
        self.credit.spend()
        self._reply(content)
        self.started = True
        self.ended = not more_content

    def _reply(self, content: Content) -> None:
        delay = _FIRST_RETRY
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                self._reply_channel.send(content, immediately=True)
                return
            except ChannelFull:
                if time.monotonic() > give_up:
                    raise
            # A mailbox cannot say that it has room: many share it.
            time.sleep(delay)
            delay = min(2 * delay, _LAST_RETRY)
