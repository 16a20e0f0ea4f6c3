"""Registers the blueprints that this app runs; nothing else.

The same package is deployed three times, and the setting RELAY_APP picks what it is. A sender
never even imports the receiver. With a wrong setting it is none of them: health says what is wrong.
"""

import os
from importlib import import_module

import azure.functions as func

from shared.apps import health
from shared.settings import settings
from shared.telemetry import logs

BLUEPRINTS = {
    "sender": "shared.apps.sender",
    "receiver": "shared.apps.receiver",
    "tracker": "shared.apps.tracker",
}

logs.silence_sdk_logs()
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
try:
    loaded = settings.load(os.environ)
except settings.SettingsError as error:
    app.register_functions(health.refusal(error.problems))
else:
    app.register_functions(health.blueprint(list(loaded)))
    of_any = next(iter(loaded.values()))
    if of_any.proves_access:
        access = import_module("shared.access.endpoint")
        app.register_functions(
            access.blueprint(list(loaded), of_any, settings.inventory(os.environ))
        )
    for name in loaded.keys() & BLUEPRINTS.keys():
        app.register_functions(import_module(BLUEPRINTS[name]).blueprint(loaded[name]))
