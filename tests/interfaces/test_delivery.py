"""What comes from the bus, over real sockets and the memory layer."""

import socket
from collections.abc import Iterator

import pytest

from fairway.core.bus.operations import REPLY_LOST, Done, Forward, GroupAdd, Lost
from fairway.core.content import encode_content
from tests.interfaces.recorder import read_exactly, read_to_end
from tests.interfaces.rig import Rig, Taken, rigged
from tests.interfaces.samples import failing
from tests.support.loop import LoopThread, wait_until


@pytest.fixture
def rig(loop_thread: LoopThread) -> Iterator[Rig]:
    with rigged(loop_thread, {"brief": {}}) as rig:
        yield rig


def introduce(rig: Rig, client: socket.socket) -> Taken:
    """Let a client send something, so that its reply channel is known."""
    client.sendall(b"hello\n")
    taken = rig.take()
    rig.done(taken)
    return taken


def members(rig: Rig, group: str) -> set[str]:
    """Return the local members of a group, as the server would restore them."""
    table = rig.server._backplane.groups  # type: ignore[union-attr]
    return set(rig.loop.call(table.memberships).get(group, []))


def local(taken: Taken) -> str:
    return taken.reply_channel.partition("!")[2]


def test_a_reply_reaches_its_peer(rig: Rig) -> None:
    with rig.connect() as client:
        rig.reply(introduce(rig, client), text="hi")

        assert read_exactly(client, 3) == b"hi\n"


def test_replies_come_in_the_order_in_which_they_were_sent(rig: Rig) -> None:
    with rig.connect() as client:
        peer = introduce(rig, client)
        for number in range(500):
            rig.reply(peer, text=f"{number:03}")

        expected = "".join(f"{number:03}\n" for number in range(500)).encode()
        assert read_exactly(client, len(expected)) == expected


def test_a_reply_to_a_peer_that_left_is_counted(rig: Rig) -> None:
    with rig.connect() as client:
        peer = introduce(rig, client)
    rig.take("brief.disconnect")

    rig.reply(peer, text="too late")

    wait_until(lambda: rig.dropped(rig.server.name, "gone") == 1)


def test_a_reply_that_fails_is_counted_and_hurts_nobody_else(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    with rig.connect() as client:
        peer = introduce(rig, client)
        rig.reply(peer, fail=True)
        rig.reply(peer, text="fine")

        assert read_exactly(client, 5) == b"fine\n"
    assert rig.dropped("brief", "failed") == 1
    assert "a bug" in caplog.text
    about = {getattr(one, "peer", None) for one in caplog.records}
    assert about == {peer.envelope["peer"]}


def test_an_undeclared_key_is_counted_and_the_rest_is_delivered(rig: Rig) -> None:
    with rig.connect() as client:
        rig.reply(introduce(rig, client), text="hi", colour="red")

        assert read_exactly(client, 3) == b"hi\n"
    assert rig.dropped("brief", "unsupported") == 1


def test_a_group_reaches_all_its_members_but_the_excluded(rig: Rig) -> None:
    with rig.connect() as one, rig.connect() as two, rig.connect() as three:
        peers = [introduce(rig, client) for client in (one, two, three)]
        for peer in peers:
            rig.layer.group_add("room", peer.reply_channel)

        excluded = (peers[1].reply_channel, "elsewhere.1!1", "plain")
        rig.layer.group_send("room", encode_content({"text": "all"}), excluded)
        rig.reply(peers[1], text="only you")

        assert read_exactly(one, 4) == b"all\n"
        assert read_exactly(three, 4) == b"all\n"
        assert read_exactly(two, 9) == b"only you\n"


def test_who_left_a_group_gets_nothing_more(rig: Rig) -> None:
    with rig.connect() as client:
        peer = introduce(rig, client)
        rig.layer.group_add("room", peer.reply_channel)
        wait_until(lambda: members(rig, "room"))
        rig.layer.group_discard("room", peer.reply_channel)

        rig.layer.group_send("room", encode_content({"text": "all"}))
        rig.reply(peer, text="you")

        assert read_exactly(client, 4) == b"you\n"
        assert not members(rig, "room")


def test_a_peer_that_leaves_leaves_its_groups_everywhere(rig: Rig) -> None:
    with rig.connect() as client:
        peer = introduce(rig, client)
        rig.layer.group_add("room", peer.reply_channel)
        wait_until(lambda: members(rig, "room") == {local(peer)})

    wait_until(lambda: not rig.layer.group_channels("room"))
    assert not members(rig, "room")


def test_adding_a_peer_that_left_is_undone(rig: Rig) -> None:
    with rig.connect() as client:
        peer = introduce(rig, client)
    rig.done(rig.take("brief.disconnect"))

    rig.layer.apply([GroupAdd("room", peer.reply_channel)])

    wait_until(lambda: not rig.layer.group_channels("room"))


def test_filters_of_replies_run_once_for_a_group(loop_thread: LoopThread) -> None:
    with (
        rigged(loop_thread, {"brief": {}, "filters": {}}) as rig,
        rig.connect() as one,
        rig.connect() as two,
    ):
        for client in (one, two):
            rig.layer.group_add("room", introduce(rig, client).reply_channel)

        rig.layer.group_send("room", encode_content({"text": "all"}))

        assert read_exactly(one, 6) == b"all!!\n"
        assert read_exactly(two, 6) == b"all!!\n"


def test_a_filter_may_drop_a_reply(loop_thread: LoopThread) -> None:
    with (
        rigged(loop_thread, {"brief": {}, "filters": {}}) as rig,
        rig.connect() as client,
    ):
        peer = introduce(rig, client)
        rig.reply(peer, text="drop")
        rig.reply(peer, text="fail")
        rig.reply(peer, text="fine")

        assert read_exactly(client, 7) == b"fine!!\n"
        assert rig.dropped("brief", "filtered") == 1
        assert rig.dropped("brief", "failed") == 1


def test_reporters_hear_what_filters_and_protocols_raise(
    loop_thread: LoopThread,
) -> None:
    failing.HEARD.clear()
    with (
        rigged(loop_thread, {"failing": {}, "filters": {}}) as rig,
        rig.connect("failing") as client,
    ):
        client.sendall(b"hello")
        address = rig.take("failing.receive").reply_channel
        client.sendall(b"fail")
        wait_until(lambda: len(failing.HEARD) == 2)
        for text in ("fail", "fine"):
            rig.layer.send(address, encode_content({"text": text}))
        rig.layer.apply([Forward(address, encode_content({"text": "x"}))])
        wait_until(lambda: len(failing.HEARD) == 5)

    assert failing.HEARD == [
        ("filters", "fairway_event_filters", "a bug in a filter"),
        ("failing", "refuse", "a bug in refuse"),
        ("filters", "fairway_reply_filters", "a bug in a filter"),
        ("failing", "deliver", "a bug in deliver"),
        ("failing", "forwarded", "a bug in forwarded"),
    ]


def test_a_client_that_takes_too_little_is_disconnected(
    loop_thread: LoopThread,
) -> None:
    plugins = {"brief": {"limits": {"unsent_bytes": 100_000}}}
    with rigged(loop_thread, plugins) as rig, rig.connect() as client:
        peer = introduce(rig, client)
        sent = 0
        while not rig.dropped("brief", "slow"):
            rig.reply(peer, text="x" * 500_000)
            sent += 500_001
            rig.loop.call(lambda: None)

        assert len(read_to_end(client)) < sent


def test_one_large_message_is_written_whole(loop_thread: LoopThread) -> None:
    plugins = {"brief": {"limits": {"unsent_bytes": 1_000}}}
    with rigged(loop_thread, plugins) as rig, rig.connect() as client:
        rig.reply(introduce(rig, client), text="x" * 1_000_000)

        assert len(read_exactly(client, 1_000_001)) == 1_000_001


def test_a_forward_reaches_the_protocol_of_its_peer(rig: Rig) -> None:
    with rig.connect() as client:
        peer = introduce(rig, client)

        rig.layer.apply([Forward(peer.reply_channel, encode_content({"text": "x"}))])

        wait_until(lambda: rig.protocol("brief").forwards == [{"text": "x"}])


def test_a_peer_is_disconnected_when_a_reply_to_it_was_lost(rig: Rig) -> None:
    with rig.connect() as client:
        peer = introduce(rig, client)

        rig.layer.apply([Lost(peer.reply_channel, REPLY_LOST)])

        assert read_to_end(client) == b""


def test_an_answer_is_a_reply_that_lets_the_next_event_go(rig: Rig) -> None:
    with rig.connect() as client:
        client.sendall(b"one\n")
        first = rig.take()
        client.sendall(b"two\n")
        assert rig.is_silent()

        state = encode_content({"seen": 1})
        rig.answer(first, encode_content({"text": "hi"}), state)

        assert read_exactly(client, 3) == b"hi\n"
        second = rig.take()
        assert (second.texts, second.state) == (["two"], {"seen": 1})


@pytest.mark.parametrize("reason", ["invalid", "gone"])
def test_an_answer_that_reaches_nobody_lets_the_next_event_go(
    rig: Rig, reason: str
) -> None:
    with rig.connect() as client:
        client.sendall(b"one\n")
        first = rig.take()
        client.sendall(b"two\n")
        if reason == "gone":
            client.close()
            peers = rig.server._backplane.peers  # type: ignore[union-attr]
            wait_until(lambda: not any(peer.open for peer in peers))

        rig.answer(first, b"\xc1")

        assert rig.take().texts == ["two"]
        wait_until(lambda: rig.dropped(rig.server.name, reason) == 1)


def test_a_record_for_nobody_is_silent(rig: Rig) -> None:
    with rig.connect() as client:
        peer = introduce(rig, client)
        rig.layer.apply([Done(f"{rig.server.name}!nobody", 0)])
        rig.reply(peer, text="hi")

        assert read_exactly(client, 3) == b"hi\n"
