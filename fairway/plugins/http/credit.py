"""How many chunks of a streamed response the host has room for."""

from __future__ import annotations

import time

from fairway.kit import ChannelLayer, Receiver
from fairway.plugins.http.body import PATIENCE, WINDOW

__all__ = ["ClientLeft", "ClientStalled", "Credit"]

_LOOK_AGAIN = 1.0
"""Seconds; a slow producer learns so late that its client has left."""


class ClientLeft(Exception):
    """Nobody waits for the response any more."""


class ClientStalled(Exception):
    """The client took nothing for too long."""

    def __init__(self, patience: float) -> None:
        super().__init__(f"the client took nothing for {patience:g} s")


class Credit:
    """`WINDOW` chunks in advance, then as many as the host says it has taken.

    The host says so on `channel`, where it also says that the client has left. One
    thread at a time may use it, except for `wake`.

    Args:
        patience: seconds to wait for credit.
    """

    def __init__(self, layer: ChannelLayer, patience: float = PATIENCE) -> None:
        self.channel = layer.new_channel("http.credit?")
        self._patience = patience
        self._layer = layer
        self._listening: Receiver | None = None
        self._left = WINDOW
        self._looked = time.monotonic()

    def spend(self) -> None:
        """Use up one chunk's worth; wait while there is none.

        Raises:
            ClientLeft: the host said so.
            ClientStalled: none came in time.
        """
        if self._left and time.monotonic() - self._looked > _LOOK_AGAIN:
            self._take(0)
        while not self._left:
            if not self._take(self._patience):
                raise ClientStalled(self._patience)
        self._left -= 1

    def watch(self) -> None:
        """Block until `wake` is called.

        Raises:
            ClientLeft: the host said so meanwhile.
        """
        while self._take(None):
            pass

    def wake(self) -> None:
        """Make `watch` return; any thread may call it."""
        self._receiver.wake()

    def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.close()

    @property
    def _receiver(self) -> Receiver:
        # Most streams end before they need to listen.
        if self._listening is None:
            self._listening = self._layer.receiver([self.channel])
        return self._listening

    def _take(self, timeout: float | None) -> bool:
        deliveries = self._receiver.take(WINDOW, timeout)
        self._looked = time.monotonic()
        for delivery in deliveries:
            content = delivery.content()
            if content.get("closed"):
                raise ClientLeft
            self._left += content.get("credit", 0)
        return bool(deliveries)
