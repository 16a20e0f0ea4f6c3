from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from local.host.errors import AppRefusedError
from local.host.host_json import HostJson, ServiceBusOptions


def test_the_defaults_are_those_of_the_host() -> None:
    host = HostJson.parse({"version": "2.0"})
    assert host.route_prefix == "api"
    assert host.service_bus.prefetch_count == 0
    assert host.service_bus.max_auto_lock_renewal == timedelta(minutes=5)
    assert host.service_bus.max_concurrent_calls % 16 == 0


def test_everything_that_is_honoured_is_read() -> None:
    host = HostJson.parse(
        {
            "version": "2.0",
            "functionTimeout": "00:01:30",
            "telemetryMode": "OpenTelemetry",
            "extensionBundle": {"id": "x", "version": "[4.*, 5.0.0)"},
            "logging": {
                "logLevel": {"default": "Warning", "Function.send": "Trace"},
                "applicationInsights": {"samplingSettings": {}},
            },
            "extensions": {
                "http": {"routePrefix": "/v1/"},
                "serviceBus": {
                    "maxConcurrentCalls": 8,
                    "prefetchCount": 3,
                    "MaxAutoLockRenewalDuration": "00:02:00",
                    "autoCompleteMessages": False,
                    "minMessageBatchSize": 5,
                    "maxBatchWaitTime": "00:00:00.25",
                },
            },
        }
    )
    assert host.route_prefix == "v1"
    assert host.function_timeout == timedelta(seconds=90)
    assert host.is_open_telemetry
    assert host.log_levels == {"default": logging.WARNING, "Function.send": logging.DEBUG}
    assert host.service_bus == ServiceBusOptions(
        8, 3, timedelta(minutes=2), 5, timedelta(seconds=0.25)
    )


def test_a_function_may_have_no_timeout() -> None:
    assert HostJson.parse({"version": "2.0", "functionTimeout": "-1"}).function_timeout is None


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"version": "1.0"}, "version"),
        ({"telemetryMode": "Zipkin"}, "telemetryMode"),
        ({"retry": {}}, "retry"),
        ({"functionTimeout": "5 min"}, "functionTimeout"),
        ({"extensions": {"queues": {}}}, "extensions.queues"),
        ({"extensions": {"serviceBus": {"maxConcurrentSessions": 1}}}, "maxConcurrentSessions"),
        ({"extensions": {"serviceBus": {"maxConcurrentCalls": 0}}}, "maxConcurrentCalls"),
        ({"extensions": {"serviceBus": []}}, "extensions.serviceBus"),
        ({"extensions": {"http": {"routePrefix": 1}}}, "routePrefix"),
        ({"extensions": {"serviceBus": {"prefetchCount": -1}}}, "serviceBus.prefetchCount"),
        ({"extensions": {"serviceBus": {"minMessageBatchSize": 0}}}, "minMessageBatchSize"),
        ({"extensions": {"serviceBus": {"maxBatchWaitTime": "00:02:31"}}}, "maxBatchWaitTime"),
        ({"extensions": {"http": {"hsts": {}}}}, "extensions.http.hsts"),
        ({"logging": {"logLevel": {"default": "Loud"}}}, "logging.logLevel.default"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(part: dict[str, object], named: str) -> None:
    with pytest.raises(AppRefusedError, match=named):
        HostJson.parse({"version": "2.0"} | part)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_another_file_than_a_host_json_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(text)
    with pytest.raises(AppRefusedError, match=r"host\.json"):
        HostJson.load(path)


def test_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text(json.dumps({"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}))
    assert HostJson.load(path).route_prefix == ""


def test_settings_come_before_what_it_says(tmp_path: Path) -> None:
    """Microsoft Learn, "host.json reference", "Override host.json values"."""
    path = tmp_path / "host.json"
    given = {"serviceBus": {"maxConcurrentCalls": 8, "prefetchCount": 3}}
    document = {"version": "2.0", "functionTimeout": "00:01:00", "extensions": given}
    path.write_text(json.dumps(document))
    host = HostJson.load(
        path,
        {
            "AzureFunctionsJobHost__functionTimeout": "00:00:05",
            "AzureFunctionsJobHost__extensions__ServiceBus__maxConcurrentCalls": "2",
            "AzureFunctionsJobHost__logging__logLevel__default": "Warning",
            "AzureFunctionsJobHost": "not a value",
            "functionTimeout": "00:00:01",
        },
    )
    assert host.function_timeout == timedelta(seconds=5)
    assert (host.service_bus.max_concurrent_calls, host.service_bus.prefetch_count) == (2, 3)
    assert host.log_levels == {"default": logging.WARNING}
    with pytest.raises(AppRefusedError, match="functionTimeout must be a duration"):
        HostJson.load(path, {"AzureFunctionsJobHost__functionTimeout": "soon"})
    with pytest.raises(AppRefusedError, match=r"extensions\.blobs is not supported"):
        HostJson.load(path, {"AzureFunctionsJobHost__extensions__blobs__x": "1"})
