"""Registers the blueprints that this app runs; nothing else.

The same package is deployed three times, and the setting RELAY_APP picks what it is. A sender
never even imports the receiver. With a wrong setting it runs only health, which says what is wrong.
"""

import gc

# Off while everything else is imported: that stays, and to look for garbage in it meanwhile takes
# 8 % of the import.
gc.disable()

import os
from importlib import import_module

import azure.functions as func

from shared.apps import health
from shared.settings import environment
from shared.telemetry import exporters, logs

logs.silence_sdk_logs()
exporters.start()
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
try:
    loaded = environment.load(os.environ)
except environment.SettingsError as error:
    app.register_functions(health.refusal(error.problems))
else:
    app.register_functions(health.blueprint(list(loaded)))
    of_any = next(iter(loaded.values()))
    if of_any.proves_access:
        access = import_module("shared.access.endpoint")
        inventory = environment.inventory(os.environ)
        app.register_functions(access.blueprint(list(loaded), of_any, inventory))
    for name, settings in loaded.items():
        # The blueprint of an app is in the module of its name.
        app.register_functions(import_module(f"shared.apps.{name}").blueprint(settings))
# Nor is it looked through again with each full collection.
gc.freeze()
# Ten times the default. What is new is mostly the messages under way, which a collection looks
# through and cannot free: 5 % of a receiver's time.
gc.set_threshold(20_000)
gc.enable()
