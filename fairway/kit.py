"""The face of fairway for authors of plugins and channel layers.

First-party plugins import this and nothing else of fairway. Light: neither Django nor
an event loop library is imported; the names that routes need come lazily.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairway.core.bus.layer import (
    ChannelLayer,
    ChannelStatistics,
    Delivery,
    LayerPolicy,
    LayerPort,
    Mailbox,
    MailboxOwner,
    Reader,
    Receiver,
    Told,
)
from fairway.core.bus.operations import Operation, Outcome
from fairway.core.bus.simple import SimpleLayer
from fairway.core.content import Content, decode_content, encode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import (
    ChannelFull,
    ConfigurationError,
    FairwayError,
    LayerUnavailable,
    LocalProtocolError,
    MessageTooLarge,
    PeerRefused,
    RemoteProtocolError,
)
from fairway.core.names import decode_local, encode_local, shared_channel
from fairway.core.plugin.cookies import Cookies
from fairway.core.plugin.datagram_mapping import (
    Challenge,
    DatagramConfig,
    DatagramMapping,
    DatagramStep,
    Prove,
)
from fairway.core.plugin.datagram_protocol import DatagramProtocol
from fairway.core.plugin.deadline import Deadline
from fairway.core.plugin.hookspecs import Check, Filter, ProcessInfo, hookimpl
from fairway.core.plugin.host import Host, Peer, Refusal, Site
from fairway.core.plugin.origin import check_origin, is_origin_pattern
from fairway.core.plugin.protocol import (
    BaseProtocol,
    Emit,
    Hangup,
    Invalid,
    Step,
    Write,
)
from fairway.core.plugin.spec import API_VERSION, Event, ProtocolSpec
from fairway.core.plugin.stream_protocol import StreamMapping, StreamProtocol
from fairway.core.plugin.web import Exchange, Headers, Mount, MountPoint, RequestHead
from fairway.core.plugin.webhook_protocol import WebhookProtocol
from fairway.core.plugin.wire import (
    Clock,
    DatagramHandler,
    DatagramPort,
    Listener,
    Stream,
    StreamHandler,
    Timer,
)
from fairway.core.settings import Config, Limits, Secret, Settings

if TYPE_CHECKING:
    from fairway.core.bus.channels import Channel, Group, send_own
    from fairway.core.consumer.message import Message
    from fairway.core.consumer.routing import include, route

_LAZY = {
    "Channel": "fairway.core.bus.channels",
    "Group": "fairway.core.bus.channels",
    "Message": "fairway.core.consumer.message",
    "include": "fairway.core.consumer.routing",
    "route": "fairway.core.consumer.routing",
    "send_own": "fairway.core.bus.channels",
}

__all__ = [
    "API_VERSION",
    "BaseProtocol",
    "Challenge",
    "Channel",
    "ChannelFull",
    "ChannelLayer",
    "ChannelStatistics",
    "Check",
    "Clock",
    "Config",
    "ConfigurationError",
    "Content",
    "Cookies",
    "DatagramConfig",
    "DatagramHandler",
    "DatagramMapping",
    "DatagramPort",
    "DatagramProtocol",
    "DatagramStep",
    "Deadline",
    "Delivery",
    "Drop",
    "Emit",
    "Event",
    "Exchange",
    "FairwayError",
    "Filter",
    "Group",
    "Hangup",
    "Headers",
    "Host",
    "Invalid",
    "LayerPolicy",
    "LayerPort",
    "LayerUnavailable",
    "Limits",
    "Listener",
    "LocalProtocolError",
    "Mailbox",
    "MailboxOwner",
    "Message",
    "MessageTooLarge",
    "Mount",
    "MountPoint",
    "Operation",
    "Outcome",
    "Peer",
    "PeerRefused",
    "ProcessInfo",
    "ProtocolSpec",
    "Prove",
    "Reader",
    "Receiver",
    "Refusal",
    "RemoteProtocolError",
    "RequestHead",
    "Secret",
    "Settings",
    "SimpleLayer",
    "Site",
    "Step",
    "Stream",
    "StreamHandler",
    "StreamMapping",
    "StreamProtocol",
    "Timer",
    "Told",
    "WebhookProtocol",
    "Write",
    "check_origin",
    "decode_content",
    "decode_local",
    "encode_content",
    "encode_local",
    "hookimpl",
    "include",
    "is_origin_pattern",
    "route",
    "send_own",
    "shared_channel",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fairway.kit' has no attribute {name!r}")
