"""client.js in Chromium behind a proxy that breaks upgrades, streams and answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import FILES, ClientPage
from tests.browser.filter import Filter
from tests.support.browser import BrowserThread
from tests.support.processes import free_port, run_manage

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

QUICK = "const quick = { delay: 20, maxDelay: 100 };"


@pytest.fixture(scope="module")
def echo_port() -> Iterator[int]:
    """Run the echo site; return its port."""
    port = free_port()
    environment = {
        "DJANGO_SETTINGS_MODULE": "echo.settings",
        "FAIRWAY_UDP_PORT": str(free_port()),
    }
    arguments = ("runserver", "--noreload", f"127.0.0.1:{port}")
    with run_manage("examples/echo", *arguments, environment=environment) as process:
        process.wait_for_port(port)
        yield port


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Filter]:
    """Return a proxy before the echo site that lets no WebSocket through."""
    with Filter(echo_port, FILES) as running:
        yield running


@pytest.fixture
def page(browser: BrowserThread, proxy: Filter) -> Iterator[ClientPage]:
    """Return a page that reaches the site through the proxy only."""
    opened = ClientPage(browser, f"http://127.0.0.1:{proxy.port}/")
    yield opened
    opened.close()
    assert opened.problems == []


TALK = (
    QUICK
    + """
    const connection = connect("/echo/", quick);
    const { next, of } = record(connection);
    const { transport } = await next("open");
    connection.send("höllo\\r\\n\\0\\ud800");
    connection.send("");
    connection.send(new Uint8Array([0, 255]).buffer);
    connection.send(new Uint8Array([7, 8, 9]).subarray(1));
    connection.send(new Blob(["blob"]));
    await next("message", 5);
    connection.close(3001, "enough");
    const closing = await next("close");
    const heard = of("message").map(({ data }) =>
        typeof data === "string" ? data : [...new Uint8Array(data)]);
    return { transport, heard, closing };
    """
)


@pytest.mark.parametrize(
    ("keeps_streams", "transport"), [(False, "events"), (True, "poll")]
)
def test_it_falls_back_to_what_comes_through(
    page: ClientPage, proxy: Filter, keeps_streams: bool, transport: str
) -> None:
    proxy.keeps_streams = keeps_streams

    found = page.run(TALK)

    assert found == {
        "transport": transport,
        "heard": ["höllo\r\n\0\ufffd", "", [0, 255], [8, 9], list(b"blob")],
        "closing": {"code": 3001, "reason": "enough"},
    }


def test_what_came_through_is_tried_first_next_time(
    page: ClientPage, proxy: Filter
) -> None:
    script = f"{QUICK} const connection = connect('/echo/', quick);"
    page.run(script + "await record(connection).next('open'); connection.close();")
    page.reload()

    first = page.run(script + "connection.close(); return connection.transport;")

    assert first == "events"


@pytest.mark.parametrize("transport", ["eventStream", "longPoll"])
def test_answers_that_get_lost_lose_and_double_nothing(
    page: ClientPage, proxy: Filter, transport: str
) -> None:
    start = f"""
        window.connection = connect("/echo/", {{ transports: [{transport}] }});
        window.seen = record(connection);
        await seen.next("open");
    """
    page.run(start)
    for number in range(10):
        proxy.loses = number % 3
        page.run(
            """
            connection.send(String(argument));
            await seen.next("message", argument + 1);
            """,
            number,
        )

    heard, opened = page.run("""
        connection.close();
        return [seen.of("message").map(({ data }) => data), seen.of("open").length];
    """)

    assert heard == [str(number) for number in range(10)]
    assert opened == 1


@pytest.mark.parametrize("transport", ["eventStream", "longPoll"])
def test_a_conversation_that_is_gone_is_begun_again(
    page: ClientPage, proxy: Filter, echo_port: int, transport: str
) -> None:
    opened = page.run(
        f"{QUICK} const options = {{ ...quick, transports: [{transport}] }};"
        """
        const connection = connect("/echo/", options);
        const { next } = record(connection);
        await next("open");
        // Its requests are lost on the way from here on: another site answers.
        const { fetch } = window;
        window.fetch = async () => new Response("{}", { status: 410 });
        connection.send("lost");
        const { unsent } = await next("reconnecting");
        window.fetch = fetch;
        const { again } = await next("open", 2);
        connection.close();
        return [unsent, again];
        """
    )

    assert opened == [4, True]


@pytest.mark.parametrize("transport", ["eventStream", "longPoll"])
def test_a_refusal_is_a_failed_handshake(page: ClientPage, transport: str) -> None:
    facts = page.run(
        f"""
        const options = {{ transports: [{transport}], attempts: 0, poll: "/hello/" }};
        """
        """
        const connection = connect("/echo/", options);
        return await record(connection).next("close");
        """
    )

    assert facts["code"] == 1006
    assert facts["reason"].startswith("refused with 4")


@pytest.mark.parametrize("transport", ["eventStream", "longPoll"])
def test_who_closes_before_it_is_open_stays_closed(
    page: ClientPage, transport: str
) -> None:
    states = page.run(
        f"{QUICK} const options = {{ ...quick, transports: [{transport}] }};"
        """
        const connection = connect("/echo/", options);
        const { next, of } = record(connection);
        connection.close();
        await next("close");
        return of("state").map(({ state }) => state);
        """
    )

    assert states == ["closing", "closed"]


def test_what_was_sent_before_a_close_arrives_however_much_it_is(
    page: ClientPage,
) -> None:
    answers = page.run(
        """
        const connection = connect("/echo/", { transports: [longPoll] });
        const { next } = record(connection);
        await next("open");
        const { fetch } = window;
        const answers = [];
        window.fetch = async (url, init) => {
            const answer = await fetch(url, init);
            if (init.method === "POST") answers.push(await answer.clone().json());
            return answer;
        };
        for (let n = 0; n < 250; n += 1) connection.send(String(n));
        connection.close();
        await next("close");
        return answers;
        """
    )

    assert answers[-1] == {"received": 250}


def test_a_stream_that_breaks_after_a_long_time_goes_on(page: ClientPage) -> None:
    heard, opened = page.run(
        f"""
        {QUICK}
        const options = {{ ...quick, transports: [eventStream] }};
        """
        """
        const { fetch } = window;
        let stream;
        // The server seems to forget a client soon, and the stream can be broken.
        window.fetch = async (url, init) => {
            const answer = await fetch(url, init);
            if (init.body === "{}") {
                const told = { ...(await answer.json()), poll: 0.1, idle: 0.4 };
                return new Response(JSON.stringify(told));
            }
            if (init.method === "POST") return answer;
            const through = new TransformStream({ start: (one) => (stream = one) });
            return new Response(answer.body.pipeThrough(through));
        };
        const connection = connect("/echo/", options);
        const { next, of } = record(connection);
        await next("open");
        const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
        for (let n = 0; n < 8; n += 1) {
            stream.enqueue(new TextEncoder().encode(":\\n\\n"));
            await pause();
        }
        stream.error(new TypeError("network error"));
        connection.send("after");
        await next("message");
        connection.close();
        return [of("message").map(({ data }) => data), of("open").length];
        """
    )

    assert (heard, opened) == (["after"], 1)
