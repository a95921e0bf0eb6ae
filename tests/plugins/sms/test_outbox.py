"""The outbox: order per number, many numbers at a time, retries, and what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fairway.plugins.sms.mapping import GivenUp, Reply
from fairway.plugins.sms.outbox import Letter, Outbox
from fairway.plugins.sms.provider import Unsent
from fairway.testing.recording_wire import ManualClock

ANN, BOB = "+46701111111", "+46702222222"


class Post:
    """An outbox, and a vendor that does what a test says."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.sent: list[tuple[str, str]] = []
        self.lost: list[tuple[str, GivenUp, str]] = []
        self.held: list[bool] = []
        self.errors: list[Exception] = []
        self.tries = 0
        self.at_once = self.most_at_once = 0
        self.answers: list[BaseException] = []
        self.gate = asyncio.Event()
        self.gate.set()
        settings: dict[str, Any] = {
            "most": 100,
            "most_per_number": 10,
            "concurrency": 2,
            "segments_per_minute": 1_000,
        }
        self.outbox = Outbox(
            self.clock,
            self._send,
            give_up=lambda letter, why, code: self.lost.append(
                (letter.reply.text, why, code)
            ),
            hold=self.held.append,
            failed=lambda letter, error: self.errors.append(error),
            **(settings | options),
        )

    def add(
        self, number: str, text: str, *, end: float = 300.0, segments: int = 1
    ) -> None:
        self.outbox.add(
            Letter(
                number,
                Reply(text=text),
                {"text": text},
                pieces=[text],
                segments=segments,
                end=self.clock.now() + end,
            )
        )

    async def settle(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            await self.settle()

    async def _send(self, letter: Letter) -> None:
        self.tries += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            if self.answers:
                raise self.answers.pop(0)
            self.sent.append((letter.number, letter.reply.text))
        finally:
            self.at_once -= 1


def play(work: Callable[[Post], Awaitable[None]], **options: Any) -> Post:
    async def run() -> Post:
        post = Post(**options)
        await work(post)
        await post.outbox.stop(0.0)
        return post

    return asyncio.run(run())


def test_one_numbers_leave_in_order_and_severals_side_by_side() -> None:
    async def work(post: Post) -> None:
        post.gate.clear()
        for text in "abc":
            for number in (ANN, BOB, "+46703333333"):
                post.add(number, text)
        await post.settle()
        assert post.at_once == 2
        post.gate.set()
        await post.settle()

    post = play(work)

    assert post.most_at_once == 2
    for number in (ANN, BOB):
        assert [text for to, text in post.sent if to == number] == ["a", "b", "c"]
    assert len(post.sent) == 9
    assert post.outbox.waiting == 0


def test_what_is_not_taken_is_tried_again_before_what_came_later() -> None:
    async def work(post: Post) -> None:
        post.answers = [Unsent("busy", final=False)] * 3
        post.add(ANN, "a")
        post.add(ANN, "b")
        await post.pass_time(0.4)
        assert post.tries == 1
        await post.pass_time(10)

    post = play(work)

    assert post.sent == [(ANN, "a"), (ANN, "b")]
    assert post.tries == 5


def test_one_number_that_waits_does_not_hold_up_another() -> None:
    async def work(post: Post) -> None:
        post.answers = [Unsent("busy", final=False, retry_after=60.0)] * 2
        for number in (ANN, BOB):
            post.add(number, "a")
        await post.settle()
        post.add("+46703333333", "b")
        await post.settle()

    assert play(work).sent == [("+46703333333", "b")]


def test_a_vendor_gets_the_time_that_it_asks_for() -> None:
    async def work(post: Post) -> None:
        post.answers = [Unsent("slow down", final=False, retry_after=20.0)]
        post.add(ANN, "a")
        await post.pass_time(19.5)
        assert post.tries == 1
        await post.pass_time(1)

    assert play(work).sent == [(ANN, "a")]


def test_a_text_is_given_up_after_a_while() -> None:
    async def work(post: Post) -> None:
        post.answers = [Unsent("busy", final=False, code="20429")] * 100
        post.add(ANN, "a", end=30.0)
        await post.pass_time(31)

    post = play(work)

    assert post.lost == [("a", GivenUp.NOT_TAKEN, "20429")]
    assert 4 <= post.tries <= 8  # the pauses grow


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Unsent("bad number", final=True, code="21211"), GivenUp.REFUSED),
        (TimeoutError(), GivenUp.UNKNOWN),
        (ZeroDivisionError(), GivenUp.FAILED),
    ],
)
def test_some_answers_are_final(answer: Exception, why: GivenUp) -> None:
    async def work(post: Post) -> None:
        post.answers = [answer]
        post.add(ANN, "a")
        post.add(ANN, "b")
        await post.settle()

    post = play(work)

    assert [(text, reason) for text, reason, _ in post.lost] == [("a", why)]
    assert post.sent == [(ANN, "b")]
    assert len(post.errors) == (why is GivenUp.FAILED)


def test_a_full_outbox_holds_replies_until_it_is_half_empty() -> None:
    async def work(post: Post) -> None:
        post.gate.clear()
        for index in range(10):
            post.add(f"+4670{index:07}", "a")
        assert post.held == [False]
        post.gate.set()
        await post.settle()

    assert play(work, most=10).held == [False, True]


def test_too_many_for_one_number_are_given_up() -> None:
    async def work(post: Post) -> None:
        post.gate.clear()
        for text in "abcd":
            post.add(ANN, text)
        post.add(BOB, "e")
        post.gate.set()
        await post.settle()

    post = play(work, most_per_number=2)

    assert [text for text, why, _ in post.lost if why is GivenUp.TOO_MANY] == ["c", "d"]
    assert sorted(text for _, text in post.sent) == ["a", "b", "e"]


def test_a_number_gets_so_much_in_a_minute() -> None:
    async def work(post: Post) -> None:
        for text in "abcde":
            post.add(ANN, text, segments=3)
        post.add(BOB, "f")
        await post.settle()
        assert [text for number, text in post.sent if number == ANN] == ["a", "b", "c"]
        assert (BOB, "f") in post.sent
        await post.pass_time(32)
        assert len(post.sent) == 5
        await post.pass_time(30)

    assert len(play(work, segments_per_minute=6).sent) == 6


def test_a_stop_sends_what_can_be_sent_and_returns_the_rest_in_order() -> None:
    async def run() -> None:
        post = Post()
        post.answers = [Unsent("busy", final=False, retry_after=200.0)]
        for text in "abc":
            post.add(ANN, text)
        await post.settle()
        post.gate.clear()
        post.add(BOB, "d")
        stopping = asyncio.ensure_future(post.outbox.stop(10.0))
        await post.settle()
        post.gate.set()
        await post.pass_time(9.5)
        assert not stopping.done()
        await post.pass_time(1)

        assert [letter.reply.text for letter in await stopping] == ["a", "b", "c"]
        assert post.sent == [(BOB, "d")]
        assert post.lost == []

    asyncio.run(run())


def test_what_the_vendor_was_just_asked_to_take_is_not_sent_again() -> None:
    async def run() -> None:
        post = Post()
        post.gate.clear()
        post.add(ANN, "a")
        post.add(ANN, "b")
        await post.settle()

        left = await post.outbox.stop(0.0)

        assert post.lost == [("a", GivenUp.UNKNOWN, "")]
        assert [letter.reply.text for letter in left] == ["b"]

    asyncio.run(run())


def test_an_empty_outbox_stops_at_once() -> None:
    async def run() -> None:
        post = Post()
        post.add(ANN, "a")
        await post.settle()
        assert await post.outbox.stop(100.0) == []

    asyncio.run(run())
