"""Tiers of the tests of the suite that is shipped to others, which marks nothing."""

import pytest

_SLOW = "test_each_message_is_handed_to_exactly_one_receiver"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.name == _SLOW:
            item.add_marker(pytest.mark.standard)
