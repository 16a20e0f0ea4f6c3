"""The control endpoint of a running local cloud, for clients that can read its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.control.decisions import add_decisions
from local.control.faults import add_faults, fault_status
from local.deployment.deployment import load_bytes
from local.deployment.snapshot import DeploymentError
from local.key_vault.objects import NameInUseError, ObjectNotFoundError
from local.known_names import unknown_name
from local.net.bearer import has_key
from local.net.request_body import read_text
from local.partner.listing import listed
from local.partner.webhook import stream_json
from local.runtime.apps import AppFailedError, AppProcess
from local.runtime.cloud import Cloud, UnsupportedDeploymentError
from local.runtime.vaults import RunningVault

_LARGEST_SNAPSHOT = 16 * 1024 * 1024  # bytes
_MOST_LISTED = 1_000_000  # messages of the partner's queue


def control_app(cloud: Cloud, key: str) -> web.Application:
    """Serve the commands to clients with the key; errors are `{"error": text}`.

    - `GET /status`
    - `GET /apps/{app}/environment`, `/operators/{operator}/environment`,
      `/machines/{machine}/environment`, `/identities/{identity}/environment`
    - `GET /identities/{identity}/connection-string`, where the cloud has connection strings
    - `POST /apps/{app}/start`, `/stop`, `/kill`, `/restart`
    - `PUT /apps/{app}/package` with the path of a folder as body: another version of this project,
      or what is deployed of one, which the app runs from its next start on
    - `POST /bus/stop`, `/bus/start`; `/bus/drop`: break its connections, as networks do;
      `/bus/cut`: each one in the middle of the next frame sent on it
    - `POST /keys/{vault}/{name}/rotate`
    - `PUT /secrets/{vault}/{name}` with the value as body
    - `GET /partner-queue`: the messages in the partner's queue, as the query of `/received` asks
    - `GET /partner/secrets`: the partner's secret of each kind, ready to be set
    - `GET /database`: the URL of the database, as the vault has it
    - `PUT /deployment` with another snapshot as body: of the same resources, with other rights or
      other identities attached. Unlike a deployment in Azure it keeps nothing that it lacks, is
      not checked by the rules of Azure, and is forgotten by the next `up`
    - the audit log, and which grants are used: `local.control.decisions.add_decisions`
    - faults: `local.control.faults.add_faults`
    """
    control = _Control(cloud)
    app = web.Application(
        middlewares=[_only_with(key), _answer_errors], client_max_size=_LARGEST_SNAPSHOT
    )
    app.router.add_get("/status", control.status)
    app.router.add_get("/apps/{app}/environment", control.environment)
    app.router.add_get("/operators/{operator}/environment", control.operator_environment)
    app.router.add_get("/machines/{machine}/environment", control.machine_environment)
    app.router.add_get("/identities/{identity}/environment", control.identity_environment)
    app.router.add_get(
        "/identities/{identity}/connection-string", control.identity_connection_string
    )
    app.router.add_post("/apps/{app}/{command:start|stop|kill|restart}", control.command)
    app.router.add_put("/apps/{app}/package", control.package)
    app.router.add_post("/bus/{command:start|stop|drop|cut}", control.bus)
    app.router.add_post("/keys/{vault}/{name}/rotate", control.rotate)
    app.router.add_put("/secrets/{vault}/{name}", control.set_secret)
    app.router.add_get("/partner-queue", control.partner_queue)
    app.router.add_get("/partner/secrets", control.partner_secrets)
    app.router.add_get("/database", control.database)
    app.router.add_put("/deployment", control.replace)
    add_decisions(app, cloud.context.audit_log)
    add_faults(app, cloud)
    return app


class _Control:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def status(self, _: web.Request) -> web.Response:
        return web.json_response(status(self._cloud))

    async def environment(self, request: web.Request) -> web.Response:
        return web.json_response(dict(self._app(request).environment))

    async def operator_environment(self, request: web.Request) -> web.Response:
        operators = self._cloud.operators
        name = _known(request.match_info["operator"], list(operators), "operator")
        return web.json_response(dict(operators[name]))

    async def machine_environment(self, request: web.Request) -> web.Response:
        machines = list(self._cloud.machines)
        name = _known(request.match_info["machine"], machines, "machine")
        return web.json_response(dict(self._cloud.machines[name].environment))

    async def identity_environment(self, request: web.Request) -> web.Response:
        # Any identity, but only to whoever can read the control key: the user who started the
        # cloud, who could read everything in its folder anyway.
        programs = self._cloud.programs
        name = _known(request.match_info["identity"], list(programs), "identity")
        return web.json_response(dict(programs[name]))

    async def identity_connection_string(self, request: web.Request) -> web.Response:
        keyed = self._cloud.bus.keyed
        if keyed is None:
            raise ValueError("the cloud has no connection strings: up --connection-strings")
        name = _known(request.match_info["identity"], list(keyed.keys), "identity")
        return web.json_response({"connection_string": keyed.connection_string(name)})

    async def command(self, request: web.Request) -> web.Response:
        app, command = self._app(request), request.match_info["command"]
        if command in {"stop", "restart"}:
            await app.stop()
        if command == "kill":
            await app.kill()
        if command in {"start", "restart"} and app.state != "up":
            await app.start()
        return web.json_response({"app": app.spec.app, "state": app.state})

    async def package(self, request: web.Request) -> web.Response:
        # Any code, but only of whoever can read the control key, and so is the user who started
        # the cloud.
        app = self._app(request)
        app.take(Path(await read_text(request)))
        return web.json_response({"app": app.spec.app, "package": str(app.package)})

    async def bus(self, request: web.Request) -> web.Response:
        command = request.match_info["command"]
        if command in {"drop", "cut"}:
            self._cloud.bus.server.drop_connections(mid_frame=command == "cut")
        # A restart, so that the command may be given twice.
        elif command == "start":
            await self._cloud.bus.restart()
        else:
            await self._cloud.bus.stop()
        return web.json_response({"bus": command})

    async def rotate(self, request: web.Request) -> web.Response:
        vault, name = self._vault(request), request.match_info["name"]
        _known(name, [key.name for key in vault.spec.keys], "key")
        return web.json_response({"version": vault.store.rotate(name)})

    async def set_secret(self, request: web.Request) -> web.Response:
        vault, name = self._vault(request), request.match_info["name"]
        types = {secret.name: secret.content_type for secret in vault.spec.secrets}
        _known(name, list(types), "secret")
        version = vault.store.set_secret(name, await read_text(request), types[name])
        return web.json_response({"version": version})

    async def partner_queue(self, request: web.Request) -> web.StreamResponse:
        messages = listed(request, self._cloud.partner.inbox.arrived, _MOST_LISTED)
        return await stream_json(request, "[", messages, "]")

    async def partner_secrets(self, _: web.Request) -> web.Response:
        return web.json_response(self._cloud.partner.secrets())

    async def database(self, _: web.Request) -> web.Response:
        url = self._cloud.database_url
        if url is None:
            raise ValueError("the deployment has no database")
        return web.json_response({"url": url})

    async def replace(self, request: web.Request) -> web.Response:
        deployment = load_bytes(await request.read(), Path("the given snapshot"))
        self._cloud.replace(deployment)
        return web.json_response({"ignored": self._cloud.deployment.ignored})

    def _app(self, request: web.Request) -> AppProcess:
        name = request.match_info["app"]
        return self._cloud.apps[_known(name, list(self._cloud.apps), "app")]

    def _vault(self, request: web.Request) -> RunningVault:
        name = request.match_info["vault"]
        return self._cloud.vaults[_known(name, list(self._cloud.vaults), "vault")]


def status(cloud: Cloud) -> Mapping[str, object]:
    """Return the state of a cloud: apps, queues, versions of keys, what the partner received."""
    return {
        "apps": {
            name: {
                "url": app.url,
                "state": app.state,
                "log": str(app.log),
                "package": str(app.package),
            }
            for name, app in cloud.apps.items()
        },
        "operators": list(cloud.operators),
        "machines": {name: machine.status() for name, machine in cloud.machines.items()},
        "queues": {name: asdict(counts) for name, counts in cloud.bus.server.state().items()},
        "keys": {
            f"{vault.spec.name}/{key.name}": list(vault.store.key_versions(key.name))
            for vault in cloud.vaults.values()
            for key in vault.spec.keys
        },
        "partner": {"received": cloud.partner.received},
        **fault_status(cloud),
    }


def _known(name: str, names: list[str], kind: str) -> str:
    if name not in names:
        text = json.dumps({"error": unknown_name(name, names, kind)})
        raise web.HTTPNotFound(text=text, content_type="application/json")
    return name


def _only_with(key: str) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not has_key(request, key):
            return web.json_response({"error": "the control key is missing or wrong"}, status=401)
        return await handler(request)

    return check


_CONFLICTS = (
    *(AppFailedError, DeploymentError, UnsupportedDeploymentError, ValueError),
    *(NameInUseError, ObjectNotFoundError),
)


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except _CONFLICTS as error:
        return web.json_response({"error": str(error)}, status=409)
