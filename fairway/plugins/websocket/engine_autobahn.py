"""Autobahn as frame engine: it reads frame headers, masks and control frames.

It begins where its own `succeedHandshake` would end and never sees a byte of HTTP.
Nothing of it that needs a transport, a timer or a future is used: it asks for no event
loop library and keeps little per connection. Messages are put together in `incoming`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

from autobahn.websocket.protocol import WebSocketServerProtocol

from fairway.kit import RemoteProtocolError
from fairway.plugins.websocket.events import (
    Failed,
    PingReceived,
    PongReceived,
    WireEvent,
)
from fairway.plugins.websocket.frames import CLOSE, TEXT
from fairway.plugins.websocket.incoming import (
    PROTOCOL_ERROR,
    IncomingMessage,
    read_close,
)

__all__ = ["AutobahnEngine"]

_CUT = 8192
"""Bytes that Autobahn gets at once: it copies what is left after every frame."""


class _Server:
    """What Autobahn asks its factory."""

    isServer = True  # noqa: N815


class _Extension:
    """Stands where Autobahn looks whether RSV1 has a meaning."""

    EXTENSION_NAME = "permessage-deflate"


class AutobahnEngine(WebSocketServerProtocol):
    """Reads the frames of one connection; an `Engine`.

    Args:
        max_message: bytes of the longest message.
        deflate: whether permessage-deflate is in use.
    """

    # What Autobahn copies from its factory into each connection stands here once.
    factory: ClassVar[Any] = _Server
    requireMaskedClientFrames = True  # noqa: N815
    applyMask = True  # noqa: N815
    autoPingPending = None  # noqa: N815
    _perMessageCompress: Any = None  # noqa: N815

    # Not Autobahn's constructor: it makes futures that nobody waits for.
    def __init__(self, max_message: int, deflate: bool) -> None:
        self.data = b""
        self.current_frame: Any = None
        self.inside_message = False
        self.control_frame_data: Any = None
        if deflate:
            self._perMessageCompress = _Extension
        self._limit = max_message
        self._message: IncomingMessage | None = None
        self._events: list[WireEvent] = []
        self._ended = False

    def received(self, data: bytes) -> Sequence[WireEvent]:
        """Read bytes."""
        try:
            for start in range(0, len(data), _CUT):
                if self._ended:
                    break
                self.data += data[start : start + _CUT]
                while self.processData():
                    pass
        except RemoteProtocolError as error:
            self._events.append(Failed(error.status, error.reason))
            self._end()
        events, self._events = self._events, []
        return events

    def _end(self) -> None:
        self._ended = True
        self.data = b""
        self._message = None

    # What follows is called by Autobahn's processData and processControlFrame.

    def onFrameBegin(self) -> None:  # noqa: N802
        """Take a frame's header."""
        frame = self.current_frame
        if frame.opcode >= CLOSE:
            self.control_frame_data = []
            return
        if self._message is None:
            inflated = frame.rsv != 0
            self._message = IncomingMessage(
                self._limit, text=frame.opcode == TEXT, inflated=inflated
            )
            self.inside_message = True
        self._message.begin_frame(frame.length)

    def onFrameData(self, payload: bytes) -> None:  # noqa: N802
        """Take a part of a frame, without its mask."""
        if self.control_frame_data is not None:
            self.control_frame_data.append(payload)
        elif self._message is not None:
            self._message.add(payload)

    def onFrameEnd(self) -> bool:  # noqa: N802
        """End a frame; False stops Autobahn."""
        if self.control_frame_data is not None:
            self.processControlFrame()
        elif self.current_frame.fin and self._message is not None:
            message, self._message = self._message, None
            self.inside_message = False
            self._events.append(message.finish())
        self.current_frame = None
        return not self._ended

    def _onPing(self, payload: bytes) -> None:  # noqa: N802
        self._events.append(PingReceived(payload))

    def _onPong(self, payload: bytes) -> None:  # noqa: N802
        self._events.append(PongReceived(payload))

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool:  # noqa: N802, N803
        """Take a close frame; True stops Autobahn."""
        self._events.append(read_close(code, reasonRaw or b""))
        self._end()
        return True

    def _protocol_violation(self, reason: str) -> NoReturn:
        raise RemoteProtocolError(reason, status=PROTOCOL_ERROR)
