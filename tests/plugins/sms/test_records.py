"""What is remembered, in real session stores: opt-outs, who was texted, budgets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.test import override_settings

from fairway.plugins.sms.mapping import GivenUp
from fairway.plugins.sms.records import Permit, Records
from fairway.plugins.sms.store import MemoryStore, Store, open_store

ANN, BOB = "+46701111111", "+46702222222"
OURS, OTHER, SERVICE = "+46700000000", "+46800000000", "MG123"


def records(ours: list[str] | None = None, budget: int | None = 10) -> Records:
    return Records(open_store(), ours or [OURS, OTHER], budget)


def permit(
    kept: Records, number: str = ANN, sender: str = "", *, segments: int = 1
) -> Permit:
    return kept.permit(number, sender, segments, "2026-11-21", confirms=False)


@pytest.fixture(params=["file", "db", "cached_db", "cache"])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, sessions: Path
) -> Iterator[str]:
    name = f"django.contrib.sessions.backends.{request.param}"
    with override_settings(SESSION_ENGINE=name):
        if "db" in request.param:
            call_command("migrate", "sessions", verbosity=0)
            Session.objects.all().delete()
        yield request.param
    cache.clear()


@pytest.fixture
def store(engine: str) -> Store:
    return open_store()


def test_a_value_is_kept_changed_and_forgotten(store: Store) -> None:
    assert store.read(("a", "b")) is None
    store.write(("a", "b"), 1, 100)
    store.write(("a", "b"), 2, 100)

    assert open_store().read(("a", "b")) == 2
    assert store.read(("ab",)) is None
    assert store.read(('a", "b',)) is None
    store.delete(("a", "b"))
    store.delete(("a", "b"))
    assert store.read(("a", "b")) is None


@pytest.mark.usefixtures("engine")
def test_an_opt_out_outlives_the_process() -> None:
    assert records().texted(ANN, OURS, "stop")
    assert not records().texted(ANN, OURS, "stop")

    assert permit(records(), ANN, OURS) == Permit(refused=GivenUp.OPTED_OUT)
    assert permit(records(), ANN, OTHER) == Permit(OTHER)
    assert permit(records(), BOB, OURS) == Permit(OURS)

    records().texted(ANN, OURS, "start")
    assert permit(records(), ANN, OURS) == Permit(OURS)


@pytest.mark.usefixtures("engine")
def test_an_opt_out_outlives_a_change_of_the_secret_key() -> None:
    records().texted(ANN, OURS, "stop")

    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["only for tests"]):
        assert permit(records(), ANN, OURS).refused is GivenUp.OPTED_OUT
    with override_settings(SECRET_KEY="new"):
        assert permit(records(), ANN, OURS).refused is GivenUp.OPTED_OUT
        records().texted(ANN, OURS, "start")
        assert permit(records(), ANN, OURS).refused is None


def test_keys_cannot_be_computed_without_the_secret(sessions: Path) -> None:
    names = []
    for secret in ("one", "two"):
        with override_settings(SECRET_KEY=secret):
            records().texted(ANN, OURS, "stop")
        names.append({path.name for path in sessions.iterdir()})

    assert len(names[1]) == 2 * len(names[0])
    assert not any(part in name for name in names[1] for part in (ANN[1:], OURS[1:]))


def test_nothing_of_clear_sessions_makes_a_number_forgotten(engine: str) -> None:
    if engine == "cache":
        pytest.skip("a cache has nothing to clear")
    records().texted(ANN, OURS, "stop")

    call_command("clearsessions")

    assert permit(records(), ANN, OURS).refused is GivenUp.OPTED_OUT


@pytest.mark.parametrize("engine", ["cached_db"], indirect=True)
def test_what_another_server_wrote_is_seen_past_the_cache(engine: str) -> None:
    kept = records()
    kept.texted(ANN, OURS, "stop")
    Session.objects.all().delete()  # as START elsewhere does, past this cache

    assert permit(kept, ANN, OURS).refused is None


def test_sessions_in_cookies_keep_nothing() -> None:
    engine = "django.contrib.sessions.backends.signed_cookies"
    with override_settings(SESSION_ENGINE=engine):
        assert isinstance(open_store(), MemoryStore)
        records().texted(ANN, OURS, "stop")
        assert permit(records(), ANN, OURS).refused is None


@pytest.mark.parametrize(
    ("ours", "to", "out", "free"),
    [
        ([OURS, OTHER], OURS, [OURS], [OTHER]),
        ([OURS, SERVICE], OURS, [OURS, SERVICE], []),
        ([SERVICE], OURS, [OURS, SERVICE], []),
        ([OTHER, SERVICE], OURS, [OTHER, SERVICE], []),
        ([], OURS, [OURS], []),
    ],
)
@pytest.mark.usefixtures("sessions")
def test_a_stop_means_who_was_texted_and_who_cannot_be(
    ours: list[str], to: str, out: list[str], free: list[str]
) -> None:
    kept = Records(open_store(), ours, None)
    kept.texted(ANN, to, "stop")

    for sender in out:
        assert permit(kept, ANN, sender).refused is not None
    for sender in free:
        assert permit(kept, ANN, sender) == Permit(sender)


@pytest.mark.parametrize(
    ("ours", "to", "asked", "chosen"),
    [
        ([OURS, OTHER], OTHER, "", OTHER),
        ([OURS, OTHER], OTHER, OURS, OURS),
        ([OURS, OTHER], "", "", OURS),
        ([OURS, OTHER], "+15550100000", "", OURS),  # no number of ours any more
        ([OURS, OTHER], "", "+15550100000", None),
        ([SERVICE], OURS, "", OURS),  # one of the service's
        ([SERVICE], OURS, OURS, OURS),
        ([SERVICE], "", "", SERVICE),
        ([], OURS, "", OURS),
        ([], "", OURS, OURS),
        ([], "", "", None),
    ],
)
@pytest.mark.usefixtures("sessions")
def test_an_answer_leaves_from_the_number_that_was_texted(
    ours: list[str], to: str, asked: str, chosen: str | None
) -> None:
    if to:
        Records(open_store(), ours, None).texted(ANN, to, "")

    found = permit(Records(open_store(), ours, None), ANN, asked)

    assert found == (Permit(chosen) if chosen else Permit(refused=GivenUp.NO_SENDER))


@pytest.mark.usefixtures("sessions")
def test_a_budget_is_one_days_and_nothing_over_it_is_spent() -> None:
    assert permit(records(), segments=8).refused is None
    assert permit(records(), segments=3).refused is GivenUp.OVER_BUDGET
    assert permit(records(), segments=2).refused is None
    assert permit(records(), segments=0).refused is None

    tomorrow = records().permit(ANN, "", 1, "2026-11-22", confirms=False)
    assert tomorrow.refused is None
    assert permit(records(budget=None), segments=1_000).refused is None
