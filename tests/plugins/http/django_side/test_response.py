"""Responses leave in one reply when they are small, else in chunks with credit."""

from __future__ import annotations

import hashlib
import logging
import time

import pytest

from fairway.core.bus.channels import Channel, Outbox
from fairway.core.content import Content
from fairway.core.logs import consumed
from fairway.plugins.http.credit import ClientLeft, ClientStalled, Credit
from fairway.plugins.http.request import FairwayRequest
from fairway.plugins.http.stream import ResponseStream
from tests.plugins.http.django_side import urls
from tests.plugins.http.django_side.host import CHUNK, Host, header, headers
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def nothing_closed() -> None:
    urls.closed.clear()


def rest(host: Host, first: Content) -> list[Content]:
    """Take the rest of a response, and give credit for each chunk."""
    replies = [first]
    while replies[-1].get("more_content"):
        host.tell(first["credit_channel"], {"credit": 1})
        replies.append(host.reply())
    return replies


def body(replies: list[Content]) -> bytes:
    return b"".join(reply["content"] for reply in replies)


def test_a_response_of_one_chunk_is_one_reply(host: Host) -> None:
    reply = host.ask(target=f"/large/?size={CHUNK}")

    assert len(reply["content"]) == CHUNK
    assert "credit_channel" not in reply


def test_a_larger_response_comes_in_chunks(host: Host) -> None:
    size = 3 * CHUNK + 10
    with host.serving(target=f"/large/?size={size}"):
        replies = rest(host, host.reply())

    assert [len(reply["content"]) for reply in replies] == [CHUNK, CHUNK, CHUNK, 10]
    assert headers(replies[0], "content-length") == [str(size)]


def test_a_stream_sends_each_part_and_then_its_end(host: Host) -> None:
    with host.serving(target="/stream/?parts=3"):
        replies = rest(host, host.reply())

    assert [(r["content"], r["more_content"]) for r in replies] == [
        (b"part 0\n", True),
        (b"part 1\n", True),
        (b"part 2\n", True),
        (b"", False),
    ]
    assert replies[0]["status"] == 200
    assert "status" not in replies[1]


def test_what_a_view_sent_does_not_wait_for_the_end_of_its_stream(host: Host) -> None:
    message = host.message()
    request = FairwayRequest(message)
    outbox = Outbox(message.channel, message.content, host.layer, holds=True)

    token = consumed.set(outbox)
    Channel("told").send({"text": "a stream begins"})
    ResponseStream(request, {"status": 200, "headers": []}).write(b"part")
    consumed.reset(token)

    told, reply = host.layer.receiver(["told"]).take(1, 0), host.reply()
    assert [one.content() for one in told] == [{"text": "a stream begins"}]
    assert reply["content"] == b"part"


def test_a_stream_without_parts_is_an_empty_response(host: Host) -> None:
    reply = host.ask(target="/stream/?parts=0")

    assert (reply["content"], reply["more_content"]) == (b"", False)


def test_an_async_stream_sends_its_head_first(host: Host) -> None:
    with host.serving(target="/astream/?parts=2"):
        replies = rest(host, host.reply())

    assert [reply["content"] for reply in replies] == [
        b"",
        b"part 0\n",
        b"part 1\n",
        b"",
    ]
    assert urls.closed == ["async parts"]


def test_a_file_comes_in_large_chunks_and_is_closed(host: Host) -> None:
    size = 3 * CHUNK + 256
    with host.serving(target=f"/download/?size={size}"):
        replies = rest(host, host.reply())

    whole = bytes(range(256)) * (size // 256)
    assert hashlib.sha256(body(replies)).digest() == hashlib.sha256(whole).digest()
    assert [len(reply["content"]) for reply in replies] == [CHUNK] * 3 + [256]
    assert header(replies[0], "Content-Length") == str(size)
    assert header(replies[0], "Content-Type") == "application/pdf"
    assert urls.closed == ["file"]


def test_a_small_file_is_one_reply(host: Host) -> None:
    reply = host.ask(target="/download/?size=2048")

    assert (len(reply["content"]), reply["more_content"]) == (2048, False)
    assert urls.closed == ["file"]


def test_a_stream_waits_for_credit_after_a_window_of_chunks(host: Host) -> None:
    with host.serving(target="/stream/?parts=100") as worker:
        first = host.reply()
        replies = [first, *(host.reply() for _ in range(7))]
        assert host.mailbox.take(1, 0.2) == []
        assert worker.is_alive()

        host.tell(first["credit_channel"], {"credit": 2})
        replies += [host.reply(), host.reply()]
        assert host.mailbox.take(1, 0.2) == []

        host.tell(first["credit_channel"], {"credit": 1000})
        while replies[-1]["more_content"]:
            replies.append(host.reply())

    assert body(replies) == b"".join(b"part %d\n" % n for n in range(100))


def test_a_stream_ends_when_its_client_has_left(host: Host) -> None:
    with host.serving(target="/stream/?parts=1000000") as worker:
        first = host.reply()
        host.tell(first["credit_channel"], {"closed": True})
        worker.join(20)

    assert len(host.replies()) == 7
    assert urls.closed == ["parts"]


def test_an_idle_async_stream_ends_when_its_client_has_left(host: Host) -> None:
    with host.serving(target="/astream/?parts=1&idle") as worker:
        first = host.reply()
        host.reply()
        host.tell(first["credit_channel"], {"closed": True})
        worker.join(20)

    assert urls.closed == ["async parts"]


@pytest.mark.standard
def test_a_slow_async_stream_gets_its_parts_through(host: Host) -> None:
    with host.serving(target="/astream/?parts=2&pause=0.3"):
        replies = rest(host, host.reply())

    assert body(replies) == b"part 0\npart 1\n"


def test_a_stream_that_fails_is_cut_off_and_logged(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    with host.serving(target="/broken-stream/?parts=1"):
        first = host.reply()
        last = host.reply()

    assert (first["content"], last) == (b"part 0\n", {"abort": True})
    assert "/broken-stream/" in caplog.text
    assert "the stream failed" in caplog.text
    assert urls.closed == ["parts"]


def test_a_stream_that_fails_at_once_is_left_to_the_worker(host: Host) -> None:
    with pytest.raises(RuntimeError, match="the stream failed"):
        host.ask(target="/broken-stream/?parts=0")

    assert host.replies() == []
    assert urls.closed == ["parts"]


def test_head_of_a_stream_makes_no_body(host: Host) -> None:
    reply = host.ask("HEAD", "/stream/?parts=1000000")

    assert (reply["content"], reply["more_content"]) == (b"", False)
    assert urls.closed == ["parts"]


def test_head_of_a_file_tells_its_length(host: Host) -> None:
    reply = host.ask("HEAD", "/download/?size=2048")

    assert header(reply, "Content-Length") == "2048"
    assert urls.closed == ["file"]


def test_a_full_mailbox_makes_a_stream_wait(host: Host) -> None:
    host.layer.policy.mailbox_capacity = 2
    with host.serving(target="/stream/?parts=5"):
        replies = rest(host, host.reply())

    assert body(replies) == b"".join(b"part %d\n" % n for n in range(5))


def test_a_file_that_shrank_is_cut_off(host: Host) -> None:
    with host.serving(target="/shrunken/"):
        replies = [host.reply(), host.reply()]

    assert (replies[0]["content"], replies[1]) == (b"short", {"abort": True})
    assert urls.closed == ["file"]


def test_a_file_that_grew_is_sent_as_announced(host: Host) -> None:
    reply = host.ask(target="/grown/")

    assert (reply["content"], reply["more_content"]) == (b"too", False)


def test_a_response_may_close_itself_in_its_own_way(host: Host) -> None:
    host.ask(target="/own-close/")

    assert urls.closed == ["response"]


def test_what_fails_to_close_does_not_keep_the_rest_open(host: Host) -> None:
    assert host.ask(target="/bad-close/")["status"] == 200
    assert urls.closed == ["rest"]


def test_a_client_that_takes_nothing_is_given_up(host: Host) -> None:
    credit = Credit(host.layer, patience=0.05)
    for _ in range(8):
        credit.spend()

    with pytest.raises(ClientStalled, match=r"0\.05 s"):
        credit.spend()


@pytest.mark.standard
def test_a_slow_producer_learns_that_its_client_has_left(host: Host) -> None:
    credit = Credit(host.layer)
    started = time.monotonic()
    host.tell(credit.channel, {"closed": True})
    credit.spend()
    wait_until(lambda: time.monotonic() - started > 1.1)

    with pytest.raises(ClientLeft):
        credit.spend()


def test_an_idle_async_stream_ends_with_its_layer(host: Host) -> None:
    with host.serving(target="/astream/?parts=0&idle") as worker:
        channel = host.reply()["credit_channel"]
        host.tell(channel, {"credit": 1})
        wait_until(lambda: host.layer.statistics([channel])[channel].waiting == 0)
        host.layer.close()
        worker.join(20)

    assert urls.closed == ["async parts"]


def test_closing_is_not_logged_as_an_error(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    with host.serving(target="/stream/?parts=1000000") as worker:
        first = host.reply()
        host.tell(first["credit_channel"], {"closed": True})
        worker.join(20)

    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]
