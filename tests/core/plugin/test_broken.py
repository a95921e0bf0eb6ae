"""Whatever is wrong with a plugin, its name is said, and the rest may go on."""

from collections.abc import Iterator
from typing import Any

import pytest

from fairway.core.assembly import make_layer, make_policy
from fairway.core.consumer.routing import Router
from fairway.core.exceptions import FairwayError, MissingExtra
from fairway.core.plugin.loading import Plugins
from fairway.core.plugin.spec import Event
from fairway.core.settings import read_settings
from tests.core.plugin.broken import garbage, specs

BROKEN = "tests.core.plugin.broken"
GOOD = "tests.core.plugin.lines"


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    yield
    garbage.DECLARED.clear()
    specs.CHANGES.clear()


def begin(broken: str, section: Any = None, *, strict: bool) -> Plugins:
    """Load, declare and route, as all processes of a site together do."""
    plugins = {broken: section or {}, GOOD: {}}
    made = Plugins(read_settings({"PLUGINS": plugins, "STRICT_PLUGINS": strict}))
    made.mounts()
    made.event_filters()
    made.checks()
    layers = {"memory": "fairway.core.bus.memory:MemoryLayer", **made.channel_layers()}
    make_layer("memory://", make_policy(made.settings, made), layers).close()
    Router(None, made)
    return made


EVENT = Event(channel="specs.receive")
MODULES = ["importing", "misspelt", "unmarked", "arguments", "raising", "missing"]
MODULES += ["late", "nowhere"]
SPECS: list[dict[str, Any]] = [
    {"api": 2},
    {"name": "lines"},
    {"name": None},
    {"events": (EVENT, EVENT)},
    {"events": ("specs.receive",)},
    {"events": None},
    {"config": dict},
    {"config": None},
    {"requires": 7},
    {"peers": "none", "ordering": "peer"},
    {"routes": "no.such.module"},
    {"routes": f"{BROKEN}.importing.routes"},
]
DECLARED: list[dict[str, Any]] = [
    {"protocols": "lines"},
    {"protocols": [{"name": "lines"}]},
    {"protocols": 7},
    {"mounts": ["/path/"]},
    {"mounts": {"prefix": "/path/"}},
    {"filters": ["shout"]},
    {"layers": ["mine"]},
    {"checks": ["all is well"]},
]


def check(broken: str, section: Any = None) -> None:
    """See that it is named and stops the start, or is left out by itself."""
    name = broken.rpartition(".")[2]

    with pytest.raises(FairwayError, match=name):
        begin(broken, section, strict=True)

    plugins = begin(broken, section, strict=False)
    assert any(name in failed for failed in plugins.failed)
    assert "lines" in plugins.protocols
    assert plugins.plugin_of("lines") == "lines"


@pytest.mark.parametrize("module", MODULES)
def test_a_broken_module(module: str) -> None:
    check(f"{BROKEN}.{module}")


@pytest.mark.parametrize("change", SPECS, ids=str)
def test_a_wrong_spec(change: dict[str, Any]) -> None:
    specs.CHANGES.update(change)

    check(f"{BROKEN}.specs")


@pytest.mark.parametrize("declared", DECLARED, ids=str)
def test_a_declaration_in_a_wrong_form(declared: dict[str, Any]) -> None:
    garbage.DECLARED.update(declared)

    check(f"{BROKEN}.garbage")


def test_a_wrong_section() -> None:
    check(f"{BROKEN}.specs", {"no_such_key": 1})


def test_a_missing_package_names_what_to_install() -> None:
    plugins = begin(f"{BROKEN}.missing", strict=False)

    (missing,) = plugins.failed.values()
    assert isinstance(missing, MissingExtra)
    assert "pip install 'fairway[missing]'" in str(missing)
