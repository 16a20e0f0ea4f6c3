"""The command `key`: an access key of an app, of one function of it, or of the partner."""

from __future__ import annotations

import argparse

from local.cli.client import Client, RequestRefusedError
from local.cli.status import as_object
from local.host.keys import HEADER, AppKeys
from local.known_names import unknown_name

_PARTNER = "partner"


def print_key(options: argparse.Namespace) -> int:
    """Print one key, and nothing else: it is for a shell to put into a command."""
    client = Client(options.folder)
    if options.app == _PARTNER:
        if options.master or options.function is not None:
            raise RequestRefusedError(
                "the partner has one key: --master and --function are of apps"
            )
        print(client.partner_key())
        return 0
    keys = _keys(client, options.app)
    if options.function is not None:
        print(_of_function(client, options.app, keys, options.function))
    else:
        print(keys.master if options.master else keys.host)
    return 0


def _keys(client: Client, app: str) -> AppKeys:
    apps = as_object(as_object(client.control("GET", "/status"))["apps"])
    if app not in apps:
        raise RequestRefusedError(unknown_name(app, [*apps, _PARTNER], "app"))
    keys = client.keys(app)
    if keys is None:
        raise RequestRefusedError(f"{app} requires no access key, so that it has none (--no-keys)")
    return keys


def _of_function(client: Client, app: str, keys: AppKeys, function: str) -> str:
    """Return the key of a function that exists: any other name has a key, too, that opens nothing.

    The app itself lists its functions, so it has to be up.
    """
    url = f"{client.url(app)}/admin/functions"
    answer = client.request("GET", url, None, {HEADER: keys.master})
    listed = answer.json() if answer.status == 200 else None
    if not isinstance(listed, list):
        raise RequestRefusedError(f"{url} answers {answer.status}")
    names = [str(as_object(one)["name"]) for one in listed]
    if function.lower() not in map(str.lower, names):
        raise RequestRefusedError(unknown_name(function, names, "function"))
    return keys.function(function)
