"""What client.js decides, with its clock, its chance and its transports in hand."""

from __future__ import annotations

import pytest

from tests.browser.conftest import ClientPage

pytestmark = pytest.mark.standard


def test_waits_double_up_to_the_longest(page: ClientPage) -> None:
    delays = page.run("""
        const stage = rehearse({ delay: 1000, maxDelay: 30000 });
        outage(stage, 8);
        return stage.delays();
    """)

    assert delays == [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]


def test_the_jitter_is_full(page: ClientPage) -> None:
    delays = page.run("""
        const parts = [0, 0.5, 0.25];
        const stage = rehearse({ delay: 1000, random: () => parts.shift() });
        outage(stage, 3);
        return stage.delays();
    """)

    assert delays == [0, 1000, 1000]


def test_chance_stays_within_its_bounds_and_is_used(page: ClientPage) -> None:
    delays = page.run("""
        return Array.from({ length: 200 }, () => {
            const stage = rehearse({ delay: 1000, random: Math.random });
            outage(stage, 1);
            return stage.delays()[0];
        });
    """)

    assert all(0 <= delay < 1000 for delay in delays)
    assert len(set(delays)) > 150


def test_no_retry_begins_before_it_is_due(page: ClientPage) -> None:
    attempts = page.run("""
        const { links, fail, clock } = rehearse({ delay: 1000 });
        fail();
        clock.go(999);
        const before = links.length;
        clock.go(1);
        return [before, links.length];
    """)

    assert attempts == [1, 2]


def test_a_link_that_did_not_last_does_not_count_as_a_success(
    page: ClientPage,
) -> None:
    delays = page.run("""
        const stage = rehearse({ delay: 1000, settled: 5000 });
        for (const lasted of [0, 4999, 5000, 0]) {
            stage.last().opened("");
            stage.clock.go(lasted);
            outage(stage, 1);
        }
        return stage.delays();
    """)

    assert delays == [1000, 2000, 1000, 2000]


def test_a_restarting_server_is_retried_soon_each_time(page: ClientPage) -> None:
    delays = page.run("""
        const stage = rehearse({ delay: 1000 });
        outage(stage, 3);
        stage.last().opened("");
        stage.fail(1012);
        return stage.delays();
    """)

    assert delays == [1000, 2000, 4000, 1000]


def test_a_busy_server_that_lasted_is_retried_soon(page: ClientPage) -> None:
    delays = page.run("""
        const stage = rehearse({ delay: 1000 });
        outage(stage, 3);
        stage.last().opened("");
        stage.clock.go(5000);
        stage.fail(1013);
        return stage.delays();
    """)

    assert delays == [1000, 2000, 4000, 1000]


def test_it_gives_up_after_its_attempts(page: ClientPage) -> None:
    facts = page.run("""
        const stage = rehearse({ attempts: 2 });
        outage(stage, 2);
        stage.fail();
        return [stage.links.length, stage.connection.state, stage.of("close")];
    """)

    assert facts == [3, "closed", [{"code": 1006, "reason": ""}]]


def test_retry_ends_the_wait(page: ClientPage) -> None:
    attempts = page.run("""
        const { connection, links, fail, clock } = rehearse({ delay: 1000 });
        fail();
        connection.retry();
        connection.retry();
        clock.go(1000);
        return links.length;
    """)

    assert attempts == 2


def test_states_are_told_one_after_another(page: ClientPage) -> None:
    states = page.run("""
        const { connection, last, fail, clock, of } = rehearse({ delay: 1000 });
        last().opened("");
        fail();
        clock.go(1000);
        last().opened("");
        connection.close(4001, "bye");
        fail(4001);
        return [of("state"), last().closedWith];
    """)

    assert states == [
        [
            {"state": "open", "before": "connecting"},
            {"state": "reconnecting", "before": "open"},
            {"state": "open", "before": "reconnecting"},
            {"state": "closing", "before": "open"},
            {"state": "closed", "before": "closing"},
        ],
        [4001, "bye"],
    ]


def test_what_open_listeners_send_goes_before_what_waits(page: ClientPage) -> None:
    sent = page.run("""
        const { connection, last } = rehearse();
        connection.send("waited");
        connection.addEventListener("open", () => connection.send("who I am"));
        last().opened("");
        connection.send("after");
        return last().sent;
    """)

    assert sent == ["who I am", "waited", "after"]


@pytest.mark.parametrize(
    ("bounds", "texts", "kept"),
    [
        ({"outbox": 2}, ["a", "b", "c"], 2),
        ({"outboxSize": 4}, ["aa", "bb", "c"], 2),
        ({"outboxSize": 4}, ["aaaaa", "bbbb"], 1),
        ({"outbox": 0}, ["a"], 0),
    ],
)
def test_the_outbox_is_bounded_and_says_what_it_drops(
    page: ClientPage, bounds: dict[str, int], texts: list[str], kept: int
) -> None:
    waiting, dropped, told, answers = page.run(
        """
        const { connection, of } = rehearse(argument.bounds);
        const answers = argument.texts.map((text) => connection.send(text));
        return [connection.waiting, connection.dropped, of("dropped"), answers];
        """,
        {"bounds": bounds, "texts": texts},
    )

    refused = [text for text, answer in zip(texts, answers, strict=True) if not answer]
    assert (waiting, dropped) == (kept, len(texts) - kept)
    assert told == [{"data": text, "why": "full"} for text in refused]


def test_closing_drops_what_waits_and_what_follows(page: ClientPage) -> None:
    facts = page.run("""
        const { connection, fail, of, links, clock } = rehearse();
        fail();
        connection.send("waits");
        connection.close();
        const answer = connection.send("too late");
        connection.close();
        clock.go(60000);
        return [of("dropped"), of("close"), answer, links.length];
    """)

    assert facts == [
        [{"data": "waits", "why": "closed"}, {"data": "too late", "why": "closed"}],
        [{"code": 1000, "reason": ""}],
        False,
        1,
    ]


def test_bytes_that_a_broken_link_did_not_send_are_told(page: ClientPage) -> None:
    unsent = page.run("""
        const { last, fail, of } = rehearse();
        last().opened("");
        last().left = 77;
        fail();
        return of("reconnecting")[0].unsent;
    """)

    assert unsent == 77


def test_a_handshake_that_hangs_has_failed(page: ClientPage) -> None:
    facts = page.run("""
        const { links, clock, of, connection } = rehearse({ handshake: 15000 });
        clock.go(14999);
        const before = of("reconnecting").length;
        clock.go(1);
        links[0].opened("");
        return [before, of("reconnecting")[0].reason, links[0].closedWith,
            connection.state];
    """)

    assert facts == [0, "no handshake in time", [], "reconnecting"]


def test_after_some_failed_handshakes_it_is_the_next_transports_turn(
    page: ClientPage,
) -> None:
    turns = page.run("""
        const stage = rehearse({ failures: 2 }, ["first", "second", "third"]);
        outage(stage, 6);
        return stage.links.map(({ name }) => name);
    """)

    assert turns == "first first second second third third first".split()


def test_a_link_that_was_open_is_no_failed_handshake(page: ClientPage) -> None:
    turns = page.run("""
        const stage = rehearse({ failures: 2 }, ["first", "second"]);
        for (let n = 0; n < 3; n += 1) {
            outage(stage, 1);
            stage.last().opened("");
            outage(stage, 1);
        }
        return stage.links.map(({ name }) => name);
    """)

    assert set(turns) == {"first"}


def test_what_worked_is_first_when_the_page_is_loaded_again(page: ClientPage) -> None:
    page.run("""
        const stage = rehearse({ failures: 1 }, ["first", "second"]);
        outage(stage, 1);
        stage.last().opened("");
    """)
    page.reload()

    transport = page.run("""
        return rehearse({ failures: 1 }, ["first", "second"]).connection.transport;
    """)

    assert transport == "second"


def test_it_does_without_storage(page: ClientPage) -> None:
    state = page.run("""
        const forbidden = () => { throw new DOMException("no", "SecurityError"); };
        const { connection, last } = rehearse({ storage: forbidden });
        last().opened("");
        return connection.state;
    """)

    assert state == "open"


def test_websocket_falls_through_to_what_works(page: ClientPage) -> None:
    facts = page.run("""
        const plan = { name: "plan", open: (target, events) => {
            queueMicrotask(() => events.opened(""));
            return { send: () => {}, close: () => {}, unsent: () => 0 };
        } };
        const url = "ws://127.0.0.1:1/nobody/";
        const options = { transports: [webSocket, plan], failures: 2, delay: 5 };
        const connection = connect(url, options);
        return (await record(connection).next("open")).transport;
    """)

    assert facts == "plan"


def test_a_transport_that_never_will_work_gives_way_at_once(page: ClientPage) -> None:
    names = page.run("""
        const stage = rehearse({}, ["first", "second"]);
        stage.last().closed({ code: 1006, reason: "" }, true);
        stage.clock.go(stage.delays().at(-1));
        return stage.links.map(({ name }) => name);
    """)

    assert names == ["first", "second"]


def test_a_makeshift_of_an_outage_is_left_again(page: ClientPage) -> None:
    names, remembered = page.run("""
        const kept = {};
        const storage = () => ({
            getItem: (key) => kept[key], setItem: (key, name) => (kept[key] = name) });
        const stage = rehearse({ failures: 1, storage }, ["first", "second"]);
        stage.last().opened("");
        outage(stage, 2);
        stage.last().opened("");
        outage(stage, 1);
        return [stage.links.map(({ name }) => name), Object.values(kept)];
    """)

    assert names == ["first", "first", "second", "first"]
    assert remembered == ["first"]
