"""Registers the blueprints that this app runs; nothing else.

The same package is deployed three times, and the setting RELAY_APP picks what it is. A sender
never even imports the receiver.
"""

import os
from importlib import import_module

import azure.functions as func

from shared import health, logs, settings

# The tracker answers for its health only, until it keeps the ledger.
BLUEPRINTS = {"sender": "shared.sender", "receiver": "shared.receiver"}

logs.quiet()
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
loaded = settings.load(os.environ)
app.register_functions(health.blueprint(list(loaded)))
for name in loaded.keys() & BLUEPRINTS.keys():
    app.register_functions(import_module(BLUEPRINTS[name]).blueprint(loaded[name]))
