"""The conformance suite of channel layers: one test for each sentence of the contract.

    from fairway.testing.layer import LayerConformance

    class TestMyLayer(LayerConformance):
        def make_layer(self, policy):
            return MyLayer("my://127.0.0.1", policy)

`make_layer` returns a layer on an empty bus. A layer that connects processes overrides
`make_peer_layer` too, so that the tests have two of them on one bus.
"""

from __future__ import annotations

from fairway.testing.layer_answers import AnswerConformance
from fairway.testing.layer_groups import GroupConformance
from fairway.testing.layer_port import PortConformance
from fairway.testing.layer_queues import QueueConformance

__all__ = ["LayerConformance"]


class LayerConformance(
    QueueConformance, AnswerConformance, GroupConformance, PortConformance
):
    """Subclass it, with a name that begins with `Test`."""
