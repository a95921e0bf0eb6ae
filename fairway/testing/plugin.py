"""The conformance suite of protocol plugins: what a host and its workers rely on.

    from fairway.testing.plugin import PluginConformance

    class TestLines(PluginConformance):
        plugin = "lines"                    # as in FAIRWAY["PLUGINS"]
        wire = b"hello\\nworld\\n"            # what a client may send
        bad_wire = [b"x" * 100_000]         # what breaks the protocol

A plugin on streams gives `wire` and `bad_wire`, one on datagrams `datagrams` and
`bad_datagrams`, one on mounts (a webhook) `requests` and `bad_requests`. Any other
overrides `converse`, in which its protocol has to emit events, and `arrive`.

The protocol runs on a `RecordingHost`, without sockets and without a bus, so the suite
takes less than a second. With hypothesis installed the mapping is fuzzed, too.
"""

from __future__ import annotations

from fairway.testing.plugin_declaration import DeclarationConformance
from fairway.testing.plugin_events import EventConformance
from fairway.testing.plugin_faults import FaultConformance
from fairway.testing.plugin_replies import ReplyConformance
from fairway.testing.recording_web import Request

__all__ = ["PluginConformance", "Request"]


class PluginConformance(
    DeclarationConformance, EventConformance, ReplyConformance, FaultConformance
):
    """Subclass it, with a name that begins with `Test`."""
