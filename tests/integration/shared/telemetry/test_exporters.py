"""What is imported for telemetry: nothing without a setting, and no more than it names."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.test_function_app import ROOT, environment

_CONNECTION = "InstrumentationKey=00000000-0000-4000-8000-000000000000;IngestionEndpoint="
INSIGHTS = {"APPLICATIONINSIGHTS_CONNECTION_STRING": f"{_CONNECTION}https://127.0.0.1:9/"}
OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
# It ends without a flush: nobody listens.
_PROGRAM = """
import json, logging, os, sys
import function_app
from shared.telemetry import recording
modules = [m for m in list(sys.modules) if m.startswith(("opentelemetry", "azure.monitor"))]
found = {"modules": modules, "on": recording.is_on(), "exporters": [], "credentials": []}
if recording.is_on():
    from azure.core.settings import settings
    from opentelemetry import trace
    active = trace.get_tracer_provider()._active_span_processor
    for processor in active._span_processors:
        exporter = getattr(processor, "span_exporter", None)
        if exporter:
            found["exporters"].append(type(exporter).__name__)
            credential = getattr(exporter, "_credential", None)
            if credential:
                found["credentials"].append(type(credential).__name__)
    found["sdk spans"] = settings.tracing_enabled()
    found["handlers"] = [type(h).__name__ for h in logging.getLogger("shared").handlers]
print(json.dumps(found), flush=True)
os._exit(0)
"""


def started(app: str, settings: dict[str, str]) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=ROOT,
        env=environment(app) | settings,
        capture_output=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("app", ["sender", "receiver", "tracker"])
def test_without_a_setting_nothing_of_it_is_imported(app: str) -> None:
    found = started(app, {})
    assert (found["on"], found["modules"]) == (False, [])


@pytest.mark.parametrize("settings", [OTLP, INSIGHTS, OTLP | INSIGHTS])
def test_what_a_setting_names_is_exported_to(settings: dict[str, str]) -> None:
    found = started("sender", settings)
    is_azure = bool(settings.keys() & INSIGHTS)
    expected = {
        *(["OTLPSpanExporter"] if settings.keys() & OTLP else []),
        *(["AzureMonitorTraceExporter"] if is_azure else []),
    }
    assert set(found["exporters"]) == expected
    assert any(name.startswith("azure.monitor") for name in found["modules"]) == is_azure
    assert found["handlers"] == ["LoggingHandler" if is_azure else "LineHandler"]
    assert found["sdk spans"] is False
    # By the app's own identity, never by a key: the connection string says only where.
    assert found["credentials"] == (["ManagedIdentityCredential"] if is_azure else [])


def test_what_is_switched_off_by_the_standard_variable_is_off() -> None:
    assert started("sender", OTLP | {"OTEL_SDK_DISABLED": "true"})["on"] is False
