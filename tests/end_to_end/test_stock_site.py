"""A stock Django project behaves under fairway as under Django's own runserver."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.stock_servers import FAIRWAY, prepare, run_server, run_split
from tests.end_to_end.visitor import Answer, Visitor
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(180)]

Ports = tuple[int, int]
Visit = Callable[[Visitor], list[Answer]]

FIELD = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a migrated database and a user `ada`."""
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def ports(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """Return the ports of Django's runserver and of fairway's."""
    with ExitStack() as stack:
        yield _both(stack, prepared, tmp_path_factory, {})


@pytest.fixture(scope="module")
def debug_ports(
    prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ports]:
    """Return the same with DEBUG."""
    with ExitStack() as stack:
        yield _both(stack, prepared, tmp_path_factory, {"STOCK_DEBUG": "1"})


@pytest.fixture(scope="module")
def split_ports(
    prepared: Path,
    tmp_path_factory: pytest.TempPathFactory,
    redis_server: RedisServer,
) -> Iterator[Ports]:
    """Return the ports of Django's runserver and of an interface server over Redis."""
    folders = [tmp_path_factory.mktemp("site") / "files" for _ in range(2)]
    for folder in folders:
        shutil.copytree(prepared, folder)
    with (
        run_server(folders[0], {}) as (django, _),
        run_split(folders[1], redis_server.url) as (fairway, _),
    ):
        yield django, fairway


def _both(
    stack: ExitStack,
    prepared: Path,
    folders: pytest.TempPathFactory,
    environment: dict[str, str],
) -> Ports:
    ports = []
    for more in ({}, FAIRWAY):
        folder = folders.mktemp("site") / "files"
        shutil.copytree(prepared, folder)
        port, _ = stack.enter_context(run_server(folder, {**environment, **more}))
        ports.append(port)
    return ports[0], ports[1]


def _pages(*paths: str) -> dict[str, Visit]:
    return {path: _page(path) for path in paths}


def _page(path: str) -> Visit:
    return lambda visitor: [visitor.get(path)]


def _log_in(visitor: Visitor) -> list[Answer]:
    page = visitor.get("/admin/login/?next=/admin/")
    entered = visitor.submit("/admin/login/", username="ada", password="lovelace")
    return [page, entered]


def _use_admin(visitor: Visitor) -> list[Answer]:
    answers = _log_in(visitor)
    answers += [visitor.get("/admin/"), visitor.get("/admin/shelf/paper/add/")]
    answers.append(
        visitor.upload("/admin/shelf/paper/add/", ("a.txt", b"abc"), title="By admin")
    )
    answers += [
        visitor.get("/admin/shelf/paper/"),
        visitor.get("/private/"),
        visitor.get("/admin/logout/"),
        visitor.submit("/admin/logout/"),
        visitor.get("/private/"),
    ]
    return answers


def _log_in_wrongly(visitor: Visitor) -> list[Answer]:
    page = visitor.get("/admin/login/")
    return [page, visitor.submit("/admin/login/", username="ada", password="byron")]


def _add_paper(content: bytes) -> Visit:
    def visit(visitor: Visitor) -> list[Answer]:
        answers = [visitor.get("/add/")]
        answers.append(visitor.upload("/add/", ("p.bin", content), title="paper.bin"))
        answers += [visitor.get("/"), visitor.get("/")]
        number = answers[-1].body.count(b"<li>")
        answers.append(visitor.get(f"/papers/{number}/"))
        answers.append(visitor.ask("HEAD", f"/papers/{number}/"))
        return answers

    return visit


def _add_nothing(visitor: Visitor) -> list[Answer]:
    return [visitor.get("/add/"), visitor.submit("/add/", title="")]


def _forge(visitor: Visitor) -> list[Answer]:
    return [visitor.submit("/add/", title="forged")]


def _return(visitor: Visitor) -> list[Answer]:
    return [visitor.get("/visits/") for _ in range(3)]


def _taste_cookies(visitor: Visitor) -> list[Answer]:
    first = visitor.get("/cookies/")
    del visitor.cookies["signed"]
    return [first, visitor.get("/cookies/")]


def _ask_again(visitor: Visitor) -> list[Answer]:
    return [
        visitor.get("/versioned/"),
        visitor.get("/versioned/", If_None_Match='"first"'),
        visitor.get("/versioned/", If_Match='"second"'),
    ]


def _static(visitor: Visitor) -> list[Answer]:
    first = visitor.get("/static/shelf/site.css")
    modified = dict(first.headers).get("last-modified", "")
    return [
        first,
        visitor.get("/static/shelf/site.css", If_Modified_Since=modified),
        visitor.ask("HEAD", "/static/shelf/site.css"),
        visitor.get("/static/admin/css/base.css"),
        visitor.get("/static/nothing.css"),
        visitor.get("/static/"),
    ]


def _methods(visitor: Visitor) -> list[Answer]:
    return [
        visitor.ask("HEAD", "/"),
        visitor.ask("HEAD", "/old/"),
        visitor.ask("HEAD", "/table/"),
        visitor.ask("HEAD", "/large/"),
        visitor.ask("OPTIONS", "/old/"),
        visitor.ask("PUT", "/echo/", {"Content-Type": "text/x"}, b"put"),
        visitor.ask("PATCH", "/echo/", {"Content-Type": "text/x"}, b"patched"),
        visitor.ask("DELETE", "/echo/"),
        visitor.ask("POST", "/echo/", {"Content-Length": "0"}, b""),
    ]


def _echo_much(visitor: Visitor) -> list[Answer]:
    body = bytes(range(256)) * 8_000
    return [visitor.ask("POST", "/echo/", {"Content-Type": "image/png"}, body)]


def _echo_too_much(visitor: Visitor) -> list[Answer]:
    body = b"x" * (3 * 1024 * 1024)
    return [visitor.ask("POST", "/echo/", {"Content-Type": "image/png"}, body)]


def _tell(visitor: Visitor) -> list[Answer]:
    visitor.cookies.update(a="1", b='"q\\054"')
    return [
        visitor.get("/told/a/b?c=d&c=e&f"),
        visitor.get("/told/caf%C3%A9/%E9/%2F/%25?q=%C3%A9&r=%E9&s=+%2B"),
        visitor.get("/told/x//y;z=1/./../w"),
        visitor.get("/told/h", Accept_Language="sv", X_Thing="a, b", X_Empty=""),
        visitor.ask("POST", "/told/p", {"Content-Type": FIELD}, b"a=1"),
        visitor.ask("GET", "/told/t", {"Content-Type": "text/x; charset=latin-1"}),
        visitor.ask("GET", "/told/host", {"Host": "stock.example:8080"}),
        visitor.ask("GET", "/told/host", {"Host": "evil.example"}),
    ]


VISITS: dict[str, Visit] = {
    **_pages(
        "/old/",
        "/add",
        "/private/",
        "/table/",
        "/ticks/",
        "/later/",
        "/nothing/",
        "/teapot/",
        "/forbidden/",
        "/strange/",
        "/failing/",
        "/missing/",
        "/papers/999/",
        "/large/",
        "/admin/",
    ),
    "admin": _use_admin,
    "a wrong password": _log_in_wrongly,
    "an upload": _add_paper(b"content"),
    "an upload above the memory limit of Django": _add_paper(
        bytes(range(256)) * 12_000
    ),
    "an empty upload": _add_paper(b""),
    "an invalid form": _add_nothing,
    "a forged form": _forge,
    "a session": _return,
    "cookies": _taste_cookies,
    "conditional requests": _ask_again,
    "static files": _static,
    "methods": _methods,
    "a body that is spooled": _echo_much,
    "a body above the memory limit of Django": _echo_too_much,
    "what a view is told": _tell,
}

DEBUG_VISITS: dict[str, Visit] = {
    **_pages("/", "/missing/", "/papers/999/"),
    "static files": _static,
    "a session": _return,
}


@pytest.mark.parametrize("visit", VISITS.values(), ids=VISITS)
def test_answers_are_those_of_djangos_own_server(ports: Ports, visit: Visit) -> None:
    django, fairway = (visit(Visitor(port)) for port in ports)

    assert fairway == django


@pytest.mark.parametrize("visit", DEBUG_VISITS.values(), ids=DEBUG_VISITS)
def test_answers_are_those_of_djangos_own_server_while_debugging(
    debug_ports: Ports, visit: Visit
) -> None:
    django, fairway = (visit(Visitor(port)) for port in debug_ports)

    assert fairway == django


@pytest.mark.parametrize(
    "visit",
    [visit for name, visit in VISITS.items() if name != "static files"],
    ids=[name for name in VISITS if name != "static files"],
)
def test_answers_are_those_of_djangos_own_server_over_redis(
    split_ports: Ports, visit: Visit
) -> None:
    django, fairway = (visit(Visitor(port)) for port in split_ports)

    assert fairway == django


def test_static_files_can_be_left_to_somebody_else(prepared: Path) -> None:
    environment = {**FAIRWAY, "STOCK_DEBUG": "1"}
    with run_server(prepared, environment, "--nostatic") as (port, _):
        assert Visitor(port).get("/static/shelf/site.css").status == 404


def test_a_failing_view_shows_djangos_page_while_debugging(debug_ports: Ports) -> None:
    for port in debug_ports:
        answer = Visitor(port).get("/failing/")

        assert answer.status == 500
        assert b"this view fails" in answer.body
        assert b"Request information" in answer.body
