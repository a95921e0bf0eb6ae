"""client.js in Chromium against a real WebSocket server."""

from __future__ import annotations

import pytest

from tests.browser.conftest import ClientPage, EchoServer
from tests.support.processes import wait_until

pytestmark = pytest.mark.standard

QUICK = "const quick = { delay: 20, maxDelay: 100 };"


def test_text_and_bytes_come_back_in_order_as_what_they_were(page: ClientPage) -> None:
    received = page.run("""
        const connection = connect("/echo/");
        const { next, of } = record(connection);
        await next("open");
        connection.send("höllo");
        connection.send("");
        connection.send(new Uint8Array([0, 255]).buffer);
        connection.send(new Uint8Array([7, 8, 9]).subarray(1));
        connection.send(new Blob(["blob"]));
        connection.send({ an: ["object", 1, null] });
        await next("message", 6);
        connection.close();
        return of("message").map(({ data }) =>
            typeof data === "string" ? data : [...new Uint8Array(data)]);
    """)

    assert received == [
        "höllo",
        "",
        [0, 255],
        [8, 9],
        list(b"blob"),
        '{"an":["object",1,null]}',
    ]


def test_what_has_no_json_is_refused_at_the_call(page: ClientPage) -> None:
    error = page.run("""
        const connection = connect("/echo/");
        try { connection.send(undefined); } catch (error) { return String(error); }
        finally { connection.close(); }
    """)

    assert error == "TypeError: undefined cannot be sent"


def test_the_first_subprotocol_that_the_server_likes_is_told(page: ClientPage) -> None:
    opened = page.run("""
        const connection = connect("/echo/", { protocols: ["chat.v9", "chat.v2"] });
        const facts = await record(connection).next("open");
        connection.close();
        return facts;
    """)

    assert opened == {"transport": "websocket", "protocol": "chat.v2", "again": False}


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_an_absolute_url_may_say_ws_or_http(
    page: ClientPage, echo_server: EchoServer, scheme: str
) -> None:
    state = page.run(
        """
        const connection = connect(argument);
        await record(connection).next("open");
        const { state } = connection;
        connection.close();
        return state;
        """,
        f"{scheme}://127.0.0.1:{echo_server.port}/echo/#part",
    )

    assert state == "open"


def test_the_servers_code_and_reason_arrive(page: ClientPage) -> None:
    closing = page.run("""
        const connection = connect("/echo/");
        const { next } = record(connection);
        connection.send("close 4321 go away");
        return await next("close");
    """)

    assert closing == {"code": 4321, "reason": "go away"}


def test_the_clients_code_and_reason_arrive_at_the_server(
    page: ClientPage, echo_server: EchoServer
) -> None:
    page.run("""
        const connection = connect("/echo/");
        const { next } = record(connection);
        await next("open");
        connection.close(3999, "enough");
        await next("close");
    """)

    wait_until(lambda: echo_server.closed_with == [(3999, "enough")])


def test_a_code_that_browsers_may_not_send_is_refused(page: ClientPage) -> None:
    error = page.run("""
        const connection = connect("/echo/");
        try { connection.close(1001); } catch (error) { return String(error); }
        finally { connection.close(); }
    """)

    assert error == "RangeError: close code 1001 is neither 1000 nor 3000 to 4999"


@pytest.mark.parametrize("code", [1001, 1009, 1011, 1012, 1013, 3000])
def test_it_reconnects_after(page: ClientPage, code: int) -> None:
    opened = page.run(
        QUICK
        + """
        const connection = connect("/echo/", quick);
        const { next } = record(connection);
        connection.send(`close ${argument} because`);
        const facts = await next("open", 2);
        connection.close();
        return facts;
        """,
        code,
    )

    assert opened["again"] is True


@pytest.mark.parametrize("code", [1000, 1002, 1003, 1007, 1008, 4000, 4999])
def test_it_does_not_reconnect_after(page: ClientPage, code: int) -> None:
    state, retries = page.run(
        QUICK
        + """
        const connection = connect("/echo/", quick);
        const { next, of } = record(connection);
        connection.send(`close ${argument} because`);
        await next("close");
        return [connection.state, of("reconnecting").length];
        """,
        code,
    )

    assert (state, retries) == ("closed", 0)


def test_the_page_may_decide_after_which_codes_to_reconnect(page: ClientPage) -> None:
    opened = page.run(
        QUICK
        + """
        const reconnect = ({ code }) => code === 4001;
        const connection = connect("/echo/", { ...quick, reconnect });
        const { next } = record(connection);
        connection.send("close 4001 moved");
        const facts = await next("open", 2);
        connection.send("close 1011 broken");
        await next("close");
        return facts;
        """
    )

    assert opened["again"] is True


def test_it_comes_back_when_the_server_comes_back(
    page: ClientPage, echo_server: EchoServer
) -> None:
    page.run(
        QUICK
        + """
        window.connection = connect("/echo/", quick);
        window.seen = record(connection);
        connection.addEventListener("open", () => connection.send("hello"));
        await seen.next("message");
        """
    )
    echo_server.stop(1012)
    page.run("""
        await seen.next("reconnecting", 3);
        connection.send("waited 1");
        connection.send("waited 2");
    """)
    echo_server.start()

    received = page.run("""
        await seen.next("message", 4);
        connection.close();
        return seen.of("message").map(({ data }) => data);
    """)

    assert received == ["hello", "hello", "waited 1", "waited 2"]


def test_nothing_is_sent_twice_and_nothing_is_lost_silently(
    page: ClientPage, echo_server: EchoServer
) -> None:
    page.run(
        QUICK
        + """
        window.connection = connect("/echo/", { ...quick, outbox: 2 });
        window.seen = record(connection);
        await seen.next("open");
        """
    )
    echo_server.stop()
    answers = page.run("""
        await seen.next("reconnecting");
        return ["a", "b", "c"].map((text) => connection.send(text));
    """)
    echo_server.start()

    facts = page.run("""
        await seen.next("message", 2);
        connection.close();
        await seen.next("close");
        const { dropped } = connection;
        return { received: seen.of("message"), lost: seen.of("dropped"), dropped };
    """)

    assert answers == [True, True, False]
    assert facts == {
        "received": [{"data": "a"}, {"data": "b"}],
        "lost": [{"data": "c", "why": "full"}],
        "dropped": 1,
    }
