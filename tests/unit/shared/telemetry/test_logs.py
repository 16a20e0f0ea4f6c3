"""The Azure SDKs log little, unless all is asked for."""

from __future__ import annotations

import logging

import pytest

from shared.telemetry.logs import silence_sdk_logs


@pytest.mark.parametrize(
    ("level", "of_sdk"),
    [
        (logging.INFO, logging.WARNING),
        (logging.WARNING, logging.WARNING),
        (logging.DEBUG, logging.NOTSET),
    ],
)
def test_the_sdks_log_warnings_unless_debugging(
    level: int, of_sdk: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.NOTSET, "azure")
    caplog.set_level(level)
    silence_sdk_logs()
    assert logging.getLogger("azure").level == of_sdk
