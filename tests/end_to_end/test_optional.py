"""Installed without the setting FAIRWAY, a Django project is served as before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.end_to_end.stock_servers import prepare, run_gunicorn
from tests.end_to_end.test_stock_site import VISITS, Visit
from tests.end_to_end.visitor import Visitor

pytestmark = [pytest.mark.standard, pytest.mark.timeout(180)]

Ports = tuple[int, int]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """Return the ports of gunicorn without fairway, and with it among the apps."""
    prepared = prepare(tmp_path_factory.mktemp("prepared"))
    with ExitStack() as stack:
        ports = []
        for environment in ({}, {"STOCK_INSTALLED": "1"}):
            folder = tmp_path_factory.mktemp("site") / "files"
            shutil.copytree(prepared, folder)
            port, _ = stack.enter_context(run_gunicorn(folder, environment))
            ports.append(port)
        yield ports[0], ports[1]


@pytest.mark.parametrize("visit", VISITS.values(), ids=VISITS)
def test_answers_do_not_change(ports: Ports, visit: Visit) -> None:
    before, after = (visit(Visitor(port)) for port in ports)

    assert after == before


def test_nothing_of_the_servers_is_loaded_and_nothing_connects(ports: Ports) -> None:
    before, after = (json.loads(Visitor(port).get("/process/").body) for port in ports)

    assert after["loaded"] == []
    assert after["sockets"] == before["sockets"]
