"""What W7 is compared with: Twisted sends each datagram back, on fairway's loop."""

from __future__ import annotations

import asyncio
import sys

from twisted.internet.protocol import DatagramProtocol

from fairway.interfaces.reactor import install_reactor, new_loop


class _Echo(DatagramProtocol):
    def datagramReceived(  # noqa: N802 - Twisted's name
        self, datagram: bytes, addr: tuple[str, int]
    ) -> None:
        self.transport.write(datagram, addr)  # type: ignore[union-attr]


def main(port: int) -> None:
    """Echo on a port of 127.0.0.1 until terminated."""
    loop = new_loop()
    asyncio.set_event_loop(loop)
    reactor = install_reactor(loop)
    reactor.listenUDP(port, _Echo(), "127.0.0.1", 65_536)
    loop.run_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
