"""A message to oneself every few seconds, which proves that the mailbox works."""

from __future__ import annotations

import logging

from fairway.core.bus import operations as bus
from fairway.core.bus.layer import LayerPort, Mailbox
from fairway.core.bus.operations import Outcome
from fairway.core.plugin.wire import Clock

__all__ = ["CanaryWatch"]

EVERY = 3.0
"""Seconds between two canaries."""
LATE = 10.0
"""Seconds without one after which the mailbox counts as deaf."""

log = logging.getLogger("fairway.interfaces")


class CanaryWatch:
    """Posts canaries, and subscribes again when they stay out.

    Args:
        every: seconds between two canaries.
        late: seconds without one after which the mailbox counts as deaf.
    """

    def __init__(
        self,
        port: LayerPort,
        clock: Clock,
        *,
        every: float = EVERY,
        late: float = LATE,
    ) -> None:
        self._port = port
        self._clock = clock
        self._every = every
        self._late = late
        self._token = 0
        self._mailbox: Mailbox | None = None
        self._heard_at: float | None = None
        self._began_at = clock.now()
        self._posted_at = 0.0
        self.round_trip: float | None = None
        """Seconds that the last canary took, None before the first."""
        self._patient_until = 0.0

    @property
    def alive(self) -> bool:
        """Whether a canary came back lately."""
        return (
            self._heard_at is not None
            and self._clock.now() - self._heard_at < self._late
        )

    def is_deaf(self) -> bool:
        """Return whether no canary came back for long."""
        last = self._began_at if self._heard_at is None else self._heard_at
        return self._clock.now() - last >= self._late

    def begin(self, mailbox: Mailbox) -> None:
        """Watch a mailbox."""
        self._mailbox = mailbox
        self._patient_until = self._clock.now() + self._late
        self._post()

    def heard(self, token: int) -> None:
        """A canary came back."""
        now = self._clock.now()
        self._heard_at = now
        if token == self._token:
            self.round_trip = now - self._posted_at
        self._patient_until = now + self._late

    def _posted(self, outcome: Outcome) -> None:
        # Nobody is deaf to what was never said: an outage is not the mailbox's fault.
        if outcome is not Outcome.ACCEPTED:
            self._patient_until = self._clock.now() + self._late

    def _post(self) -> None:
        assert self._mailbox is not None
        now = self._clock.now()
        if now >= self._patient_until:
            log.warning("mailbox %s is deaf, subscribing again", self._mailbox.name)
            self._mailbox.resubscribe()
            self._patient_until = now + self._late
        self._token += 1
        self._posted_at = now
        self._port.post(bus.Canary(self._mailbox.name, self._token), self._posted)
        self._clock.call_at(now + self._every, self._post)
