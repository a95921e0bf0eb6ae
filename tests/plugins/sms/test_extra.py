"""What is said when the packages of a vendor are not installed."""

from __future__ import annotations

import pytest

from tests.architecture.interpreter import packages, run

pytestmark = pytest.mark.standard

LOAD = """
import sys
sys.modules[{package!r}] = None
from fairway.plugins.sms.providers import load_provider
try:
    load_provider({provider!r})
except Exception as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("provider", "package"), [("twilio", "twilio"), ("smpp", "smpplib")]
)
def test_a_vendor_whose_package_is_missing_names_the_extra(
    provider: str, package: str
) -> None:
    said = run(LOAD.format(provider=provider, package=package))

    assert f"needs '{package}" in said
    assert "pip install 'fairway[sms]'" in said


def test_the_plugin_and_webhooks_load_no_more_than_they_need() -> None:
    assert not packages("import fairway.plugins.sms") & {"twilio", "smpplib"}
    loaded = packages("import fairway.plugins.sms.twilio")
    assert "twilio" in loaded
    assert not loaded & {"aiohttp", "requests"}
