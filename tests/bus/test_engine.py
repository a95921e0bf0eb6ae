"""The queue engine: operations and the time in, effects out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.bus.engine import MAILBOX_BYTES, PROVISIONAL_LEASE, Engine
from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.operations import (
    Done,
    GroupAdd,
    GroupDiscard,
    GroupSend,
    Operation,
    Outcome,
    Send,
)
from fairway.core.bus.record import Event, Kind, Message
from fairway.core.content import decode_content, encode_content
from fairway.core.drops import Drop

ACCEPTED, FULL = Outcome.ACCEPTED, Outcome.FULL
X = encode_content({"x": 1})


@pytest.fixture
def engine() -> Engine:
    return Engine(LayerPolicy(capacity=lambda channel: 3, mailbox_capacity=3))


def numbered(channel: str, number: int, expiry: float | None = None) -> Send:
    return Send(channel, encode_content({"n": number}), expiry)


def apply(engine: Engine, operation: Operation, now: float) -> Outcome:
    (outcome,) = engine.apply([operation], now)
    return outcome


def take(
    engine: Engine, *channels: str, now: float = 0.0, limit: int = 100
) -> list[int]:
    bodies = [entry.body for entry in engine.take(channels, limit, now)]
    return [
        decode_content(bytes(body.content))["n"]
        for body in bodies
        if isinstance(body, Message)
    ]


def test_touched_names_every_queue_that_got_something_once(engine: Engine) -> None:
    apply(engine, GroupAdd("room", "box!a"), 0.0)
    apply(engine, GroupAdd("room", "plain"), 0.0)
    engine.touched.clear()

    apply(engine, GroupSend("room", X), 0.0)
    apply(engine, Send("in", X), 0.0)
    apply(engine, Send("box!b", X), 0.0)

    assert list(engine.touched) == ["box!", "plain", "in"]


def test_what_is_refused_touches_nothing(engine: Engine) -> None:
    outcomes = [apply(engine, Send("in", X), 0.0) for _ in range(4)]

    assert outcomes == [ACCEPTED] * 3 + [FULL]
    assert list(engine.touched) == ["in"]


def test_a_push_after_all_heads_expired_is_kept(engine: Engine) -> None:
    apply(engine, numbered("in", 1, expiry=1.0), 0.0)

    assert apply(engine, numbered("in", 2), 2.0) is ACCEPTED

    assert take(engine, "in", now=2.0) == [2]
    assert engine.dropped == [("in", Drop.EXPIRED, 1)]


def test_an_expired_message_behind_a_living_head_is_not_taken(engine: Engine) -> None:
    apply(engine, numbered("in", 1, expiry=9.0), 0.0)
    apply(engine, numbered("in", 2, expiry=1.0), 0.0)
    apply(engine, numbered("in", 3, expiry=9.0), 0.0)

    assert take(engine, "in", now=2.0) == [1, 3]
    assert engine.dropped == [("in", Drop.EXPIRED, 1)]


def test_an_expired_message_is_not_taken_when_channels_take_turns(
    engine: Engine,
) -> None:
    apply(engine, numbered("a", 1, expiry=9.0), 0.0)
    apply(engine, numbered("a", 2, expiry=1.0), 0.0)
    apply(engine, numbered("b", 3, expiry=9.0), 0.0)

    assert take(engine, "a", "b", now=2.0) == [1, 3]


def test_a_deadline_is_the_first_moment_of_expiry(engine: Engine) -> None:
    apply(engine, numbered("in", 1, expiry=1.0), 0.0)

    assert engine.ready(["in"], 0.999) == ["in"]
    assert engine.ready(["in"], 1.0) == []


def test_a_sweep_forgets_what_nobody_asks_for(engine: Engine) -> None:
    apply(engine, numbered("in", 1, expiry=1.0), 0.0)
    engine.claim("job", 1.0, "", 0.0)
    apply(engine, GroupAdd("room", "box!a"), 0.0)

    apply(engine, Send("other", X), 1_000.0)

    assert list(engine._queues) == ["other"]
    assert (engine._groups, engine._leases, engine._claims) == ({}, {}, {})


def test_a_mailbox_is_bounded_in_bytes() -> None:
    engine = Engine(LayerPolicy(mailbox_capacity=1_000))
    large = b"x" * (MAILBOX_BYTES // 2)

    assert apply(engine, Send("box!a", large), 0.0) is ACCEPTED
    assert apply(engine, Send("box!a", large, expiry=1.0), 0.0) is ACCEPTED
    assert apply(engine, Send("box!a", X), 0.0) is FULL
    assert apply(engine, Done("box!a", 1), 0.0) is ACCEPTED


def test_what_was_taken_or_expired_leaves_room_in_a_mailbox() -> None:
    engine = Engine(LayerPolicy(mailbox_capacity=1_000))
    large = b"x" * (MAILBOX_BYTES // 2)
    for expiry in (9.0, 1.0):
        apply(engine, Send("box!a", large, expiry), 0.0)
    apply(engine, Done("box!a", 1), 0.0)

    engine.take(["box!"], 1, 0.0)

    assert apply(engine, Send("box!a", large), 0.0) is ACCEPTED
    assert apply(engine, Send("box!a", X), 0.0) is FULL
    assert apply(engine, Send("box!a", X), 2.0) is ACCEPTED


def test_a_mailbox_that_nobody_opens_leaves_its_groups(engine: Engine) -> None:
    apply(engine, GroupAdd("room", "box!a"), 0.0)

    assert engine.members("room", PROVISIONAL_LEASE - 1) == ["box!a"]
    assert engine.members("room", PROVISIONAL_LEASE + 1) == []


def test_an_add_after_a_provisional_lease_ended_counts(engine: Engine) -> None:
    apply(engine, GroupAdd("room", "box!a"), 0.0)
    late = PROVISIONAL_LEASE + 1

    apply(engine, GroupAdd("room", "box!b"), late)

    assert "box!b" in engine.members("room", late)


def test_an_open_mailbox_stays_in_its_groups(engine: Engine) -> None:
    engine.open_mailbox("box")
    apply(engine, GroupAdd("room", "box!a"), 0.0)

    assert engine.members("room", 1e9) == ["box!a"]


def test_a_closed_mailbox_is_forgotten(engine: Engine) -> None:
    engine.open_mailbox("box")
    apply(engine, GroupAdd("room", "box!a"), 0.0)

    engine.close_mailbox("box")

    assert engine.members("room", 0.0) == []
    assert engine.take(["box!"], 10, 0.0) == []


def test_an_add_to_a_full_mailbox_is_no_membership(engine: Engine) -> None:
    for order in range(6):
        apply(engine, Done("box!a", order), 0.0)

    assert apply(engine, GroupAdd("room", "box!a"), 0.0) is FULL
    assert engine.members("room", 0.0) == []


def test_a_discard_of_no_member_leaves_no_record(engine: Engine) -> None:
    apply(engine, GroupAdd("room", "box!a"), 0.0)
    engine.take(["box!"], 10, 0.0)

    assert apply(engine, GroupDiscard("room", "box!b"), 0.0) is ACCEPTED
    assert engine.take(["box!"], 10, 0.0) == []


def test_events_travel_as_one_entry(engine: Engine) -> None:
    apply(engine, Send("in", X, events=(X, X), order=4, state=X), 0.0)

    (entry,) = engine.take(["in"], 10, 0.0)
    body = entry.body

    assert entry.kind is Kind.EVENT
    assert isinstance(body, Event)
    assert (len(body.events), body.order, body.state) == (2, 4, X)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from("abc"), st.integers(1, 5)),
        st.tuples(
            st.just("take"), st.sampled_from(["a", "ab", "abc"]), st.integers(1, 4)
        ),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 3)),
    ),
    max_size=40,
)


@given(steps)
def test_queues_do_what_plain_lists_do(script: list[tuple[str, str, int]]) -> None:
    engine = Engine(LayerPolicy(capacity=lambda channel: 3))
    model: dict[str, list[tuple[int, float]]] = {"a": [], "b": [], "c": []}
    now = 0.0
    for number, (what, channels, count) in enumerate(script):
        if what == "wait":
            now += count
        elif what == "send":
            waiting = model[channels]
            while waiting and waiting[0][1] <= now:
                waiting.pop(0)
            outcome = apply(engine, numbered(channels, number, float(count)), now)
            assert (outcome is ACCEPTED) == (len(waiting) < 3)
            if outcome is ACCEPTED:
                waiting.append((number, now + count))
        else:
            taken = take(engine, *channels, now=now, limit=count)
            living = {
                name: [each for each, end in model[name] if end > now]
                for name in channels
            }
            assert len(taken) == min(count, sum(map(len, living.values())))
            for name, numbers in living.items():
                own = [each for each in taken if each in numbers]
                assert own == numbers[: len(own)]
                last = own[-1] if own else -1
                model[name] = [each for each in model[name] if each[0] > last]
