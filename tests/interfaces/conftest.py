"""Fixtures of the interface server's tests."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster

from tests.support.loop import loop_thread

__all__ = ["loop_thread", "nothing_blocks_the_loop"]


MAY_BLOCK = {
    "fairway/interfaces/server.py": {"start"},  # imports the transports
    "fairway/interfaces/endpoints.py": {"listen"},  # reads certificates
    "twisted/internet/unix.py": {"connectionLost"},  # unlinks a closed port
}
"""What may block: before anything is served, and after."""


@pytest.fixture(scope="package", autouse=True)
def nothing_blocks_the_loop() -> Iterator[None]:
    """Make a call that blocks in the loop's thread raise BlockingError."""
    detector = BlockBuster()
    for function in detector.functions.values():
        for file, names in MAY_BLOCK.items():
            function.can_block_in(file, names)
    detector.activate()
    yield
    detector.deactivate()
