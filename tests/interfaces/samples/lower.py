"""The protocol that `upper` stands on."""

from fairway import kit
from tests.interfaces.samples import upper


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    return [upper._spec("lower", "Lower")]
