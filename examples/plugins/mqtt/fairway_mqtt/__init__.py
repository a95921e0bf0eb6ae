"""The plugin `mqtt`: what the protocol is, as data."""

from fairway import kit
from fairway_mqtt.config import Mqtt

_KEYS = {"text": str, "bytes": bytes, "topic": str, "retain": bool, "qos": int}


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    """Declare the protocol."""
    return [
        kit.ProtocolSpec(
            name="mqtt",
            config=Mqtt,
            events=(
                kit.Event(
                    channel="mqtt.receive",
                    keys=_KEYS,
                    capacity=10_000,
                    summary="A device has published to `topic`.",
                ),
            ),
            replies=_KEYS,
            peers="shared",
            ordering="none",
            transports={"twisted": "fairway_mqtt.protocol:MqttProtocol"},
            requires=("aiomqtt",),
            install="fairway-mqtt",
            summary="Topics of an MQTT broker; a peer is a device.",
        )
    ]
