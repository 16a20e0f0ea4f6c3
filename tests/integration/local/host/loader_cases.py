"""Small apps, and what Azure's worker library says to each: the table of `test_loaders`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PREAMBLE = """
import collections.abc, json, typing
from typing import Annotated, Any, Iterable, List, Optional, Sequence, Tuple, Union
import azure.functions as func
from azure.functions import HttpRequest, HttpResponse, ServiceBusMessage

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

def one(**more):
    return app.service_bus_queue_trigger("m", connection="BUS", queue_name="q", **more)

def many(**more):
    return one(cardinality="many", **more)

def shown(messages):
    return [one.get_body().decode() for one in messages]
"""
HTTP = ["http", {
    "method": "POST", "url": "http://x/api/f", "headers": {"a": "b"}, "params": {"id": "7"},
    "query": {"q": "1"}, "body": ["string", "body"],
}]  # fmt: skip
CALL_HTTP: tuple[str, Any, Any] = ("f", {"req": HTTP}, {})
CALL_ONE = (
    "f", {"m": ["string", "body"]},
    {"UserProperties": ["json", "{}"], "MessageId": ["string", "1"]},
)  # fmt: skip
CALL_MANY = (
    "f", {"m": ["collection_string", ["a", "b"]]},
    {"UserPropertiesArray": ["json", "[{}, {}]"], "MessageIdArray": ["collection_string", ["1"]]},
)  # fmt: skip
TEXT = ["string", "x"]
NOTHING = [None, None]
NON_TYPE = "invalid non-type annotation"
MISMATCH = "annotation"
UNBOUND = "declared in Python but not in the function definition"


@dataclass(frozen=True)
class Case:
    """An app. Either it is refused, for a reason that holds this text, or its calls give this."""

    name: str
    code: str
    refused: str | None = None
    calls: list[Any] = field(default_factory=list)
    gives: list[Any] = field(default_factory=list)
    """What each call returns, or the beginning of its error as a text."""
    preamble: str = PREAMBLE


def annotated(trigger: str, annotation: str, refused: str | None) -> Case:
    given = f": {annotation}" if annotation else ""
    parameter, call, gives = {
        "@app.route()": ("req", CALL_HTTP, TEXT),
        "@one()": ("m", CALL_ONE, NOTHING),
        "@many()": ("m", CALL_MANY, NOTHING),
    }[trigger]
    returned = '"x"' if parameter == "req" else "None"
    code = f"{trigger}\nasync def f({parameter}{given}):\n    return {returned}\n"
    accepted = not refused and not (parameter == "req" and annotation in {"str", "bytes"})
    calls, outcome = ([call], [gives]) if accepted else ([], [])
    return Case(f"{trigger} {annotation or 'none'}", code, refused, calls, outcome)


MESSAGES = {
    "": None,
    "ServiceBusMessage": None,
    "'ServiceBusMessage'": None,
    "Annotated[ServiceBusMessage, 1]": None,
    "List[ServiceBusMessage]": None,
    "Sequence[ServiceBusMessage]": None,
    "Iterable[ServiceBusMessage]": None,
    "typing.Collection[ServiceBusMessage]": None,
    "'List[ServiceBusMessage]'": None,
    "list[ServiceBusMessage]": NON_TYPE,
    "'list[ServiceBusMessage]'": NON_TYPE,
    "collections.abc.Sequence[ServiceBusMessage]": NON_TYPE,
    "Tuple[ServiceBusMessage, ...]": NON_TYPE,
    "tuple[ServiceBusMessage, ...]": NON_TYPE,
    "Optional[ServiceBusMessage]": NON_TYPE,
    "Optional[List[ServiceBusMessage]]": NON_TYPE,
    "Union[ServiceBusMessage, str]": NON_TYPE,
    "ServiceBusMessage | None": NON_TYPE,
    "List": MISMATCH,
    "List[str]": MISMATCH,
    "List[int]": MISMATCH,
    "Any": MISMATCH,
    "object": MISMATCH,
    "int": MISMATCH,
    "dict": MISMATCH,
    "list": MISMATCH,
    "None": MISMATCH,
    "HttpRequest": MISMATCH,
    "func.Out[str]": "azure.functions.Out",
    "func.Out": "Out",
    "'Nothere'": "NameError",
    "7": NON_TYPE,
}
REQUESTS = {
    "": None,
    "HttpRequest": None,
    "'HttpRequest'": None,
    "func.HttpRequest": None,
    "str": None,
    "bytes": None,
    "list[HttpRequest]": NON_TYPE,
    "List[HttpRequest]": "TypeError",
    "Optional[HttpRequest]": NON_TYPE,
    "HttpRequest | None": NON_TYPE,
    "int": MISMATCH,
    "Any": MISMATCH,
    "ServiceBusMessage": MISMATCH,
    "func.Out[str]": "azure.functions.Out",
}
RETURNS = {
    "str": None,
    "HttpResponse": None,
    "'HttpResponse'": None,
    "None": "return",
    "int": "return",
    "bytes": "return",
    "dict": "return",
    "Any": "return",
    "Optional[str]": "return",
    "str | None": "return",
    "List[str]": "return",
    "func.Out[str]": "return",
    "'Nothere'": "NameError",
}
VALUES = {
    "'x'": TEXT,
    "HttpResponse('x')": "x",
    "None": "TypeError('unable to encode outgoing TypedData",
    "3": "TypeError('unable to encode outgoing TypedData",
    "{'a': 1}": "TypeError('unable to encode outgoing TypedData",
    "b'x'": "TypeError('unable to encode outgoing TypedData",
    "1 / 0": "ZeroDivisionError('division by zero')",
}


def cases() -> Iterator[Case]:
    for annotation, refused in MESSAGES.items():
        yield annotated("@one()", annotation, refused)
        yield annotated("@many()", annotation, refused)
    for annotation, refused in REQUESTS.items():
        yield annotated("@app.route()", annotation, refused)
    for annotation, refused in RETURNS.items():
        code = f"@app.route()\ndef f(req) -> {annotation}:\n    return 'x'\n"
        calls = [] if refused else [CALL_HTTP]
        yield Case(f"returns {annotation}", code, refused, calls, [TEXT] * len(calls))
    for value, gives in VALUES.items():
        for kind in ("", "async "):
            code = f"@app.route()\n{kind}def f(req):\n    return {value}\n"
            yield Case(f"{kind}value {value}", code, None, [CALL_HTTP], [gives])
    for kind in ("", "async "):
        code = f"@one()\n{kind}def f(m) -> int:\n    return 1\n"
        error = """RuntimeError("function 'f' without a $return binding returned a non-None"""
        yield Case(f"{kind}queue value", code, None, [CALL_ONE], [error])
    yield from TEXTS


TEXTS = [
    Case(
        "annotations of the future",
        "@many()\nasync def f(m: List[ServiceBusMessage]) -> None: ...\n",
        None,
        [CALL_MANY],
        [NOTHING],
        preamble="from __future__ import annotations\n" + PREAMBLE,
    ),
    Case(
        "list of the future",
        "@many()\nasync def f(m: list[ServiceBusMessage]) -> None: ...\n",
        NON_TYPE,
        preamble="from __future__ import annotations\n" + PREAMBLE,
    ),
    Case("another name", "@one()\ndef f(message: ServiceBusMessage): ...\n", UNBOUND),
    Case("no parameters", "@one()\ndef f(): ...\n", "not present in Python"),
    Case("one too many", "@one()\ndef f(m, other): ...\n", UNBOUND),
    Case("a default", "@one()\ndef f(m, other=1): ...\n", UNBOUND),
    Case("*args", "@one()\ndef f(m, *args): ...\n", UNBOUND),
    Case("**kwargs", "@one()\ndef f(m, **kwargs): ...\n", UNBOUND),
    Case("keyword only", "@one()\ndef f(*, m): ...\n", None, [CALL_ONE], [NOTHING]),
    Case("position only", "@one()\ndef f(m, /): ...\n", None, [CALL_ONE], ["TypeError("]),
    Case("a context of another name", "@one()\ndef f(m, ctx: func.Context): ...\n", UNBOUND),
    Case("a context that is text", "@one()\ndef f(m, context: str): ...\n", '"context" parameter'),
    *(
        Case(
            f"{kind} context {given}",
            f"@app.route()\n{kind}def f(req, context{given}):\n"
            "    trace, local = context.trace_context, context.thread_local_storage\n"
            "    return json.dumps([context.function_name, context.invocation_id,\n"
            "        trace.trace_parent, trace.trace_state, trace.attributes,\n"
            "        context.retry_context.retry_count, local.invocation_id])\n",
            None,
            [CALL_HTTP],
            [["string", json.dumps(["f", "0", "00-a-b-01", "x=1", {}, 0, "0"])]],
        )
        for kind in ("", "async ")
        for given in ("", ": func.Context")
    ),
    Case(
        "a request",
        "@app.route()\ndef f(req: HttpRequest):\n"
        "    return json.dumps([req.method, req.url, dict(req.headers), dict(req.params),\n"
        "        dict(req.route_params), req.get_body().decode()])\n",
        None,
        [CALL_HTTP],
        [["string", '["POST", "http://x/api/f", {"a": "b"}, {"q": "1"}, {"id": "7"}, "body"]']],
    ),
    Case(
        "text of one message",
        "@one()\ndef f(m: str):\n    if m != 'body': raise ValueError(m)\n",
        None,
        [CALL_ONE],
        [NOTHING],
    ),
    Case(
        "text of several messages",
        "@many()\ndef f(m: str): ...\n",
        None,
        [CALL_MANY],
        ["ValueError("],
    ),
    Case(
        "one for several",
        "@many()\ndef f(m: ServiceBusMessage):\n    raise ValueError(type(m).__name__)\n",
        None,
        [CALL_MANY],
        ["ValueError('list')"],
    ),
    Case(
        "several messages",
        "@many()\ndef f(m: List[ServiceBusMessage]):\n"
        "    raise ValueError(shown(m), [one.message_id for one in m])\n",
        None,
        [CALL_MANY],
        ["ValueError(['a', 'b'], ['1', None])"],
    ),
    Case(
        "fewer bodies than messages",
        "@many()\ndef f(m: List[ServiceBusMessage]): ...\n",
        None,
        [("f", {"m": ["collection_string", ["a"]]}, CALL_MANY[2])],
        ["IndexError("],
    ),
    Case(
        "bodies as JSON",
        "@many()\ndef f(m: List[ServiceBusMessage]):\n    raise ValueError(shown(m))\n",
        None,
        [("f", {"m": ["json", '[{"a": 1}, null]']}, CALL_MANY[2])],
        ["""ValueError(['{"a": 1}', 'null'])"""],
    ),
    Case(
        "metadata of neither",
        "@one()\ndef f(m: ServiceBusMessage): ...\n",
        None,
        [("f", {"m": ["string", "body"]}, {})],
        ["NotImplementedError("],
    ),
    *(
        Case(
            f"data type {data_type}, cardinality {cardinality}",
            "@app.service_bus_queue_trigger('m', connection='BUS', queue_name='q', "
            f"data_type={data_type}, cardinality={cardinality}, max_message_batch_size=3)\n"
            "def f(m): ...\n",
        )
        for data_type in ("None", "'string'", "func.DataType.BINARY", "'stream'", "'undefined'")
        for cardinality in ("None", "'one'", "func.Cardinality.MANY")
    ),
    Case("no such data type", "@one(data_type='bogus')\ndef f(m): ...\n", "bogus|BOGUS"),
    Case("no such cardinality", "@one(cardinality='bogus')\ndef f(m): ...\n", "bogus|BOGUS"),
    Case("data type and wrong type", "@one(data_type='binary')\ndef f(m: int): ...\n", MISMATCH),
    Case("two triggers", "@app.route()\n@one()\ndef f(req, m): ...\n", "trigger"),
    Case("no trigger", "@app.function_name('f')\ndef f(): ...\n", "trigger"),
    Case(
        "one name twice",
        "@app.route()\ndef f(req): ...\n"
        "@app.route('g')\n@app.function_name('f')\ndef g(req): ...\n",
        "unique",
    ),
    Case(
        "one name twice, once in a blueprint",
        "blueprint = func.Blueprint()\n@blueprint.route()\ndef f(req): ...\n"
        "app.register_functions(blueprint)\n@app.route('g')\n@app.function_name('f')\n"
        "def g(req): ...\n",
        "unique",
    ),
    Case(
        "a blueprint's functions",
        "blueprint = func.Blueprint()\n@blueprint.route()\ndef f(req):\n    return 'x'\n"
        "app.register_functions(blueprint)\n",
        None,
        [CALL_HTTP],
        [TEXT],
    ),
    Case("a blueprint that is not registered", "func.Blueprint()\n"),
    Case("no functions", ""),
    Case("a failing import", "raise RuntimeError('not today')\n", "RuntimeError: not today"),
    Case("a missing module", "import nothere\n", "ModuleNotFoundError: No module named 'nothere'"),
    Case("no Python", "def\n", "SyntaxError"),
    Case("no app", "del app\n", "Could not find top level function app instances"),
    Case("two apps", "other = func.FunctionApp()\n", "More than one FunctionApp"),
    Case("one app by two names", "other = app\n", "More than one FunctionApp"),
    Case("one of two", "@app.route()\ndef f(req): ...\n@one()\ndef g(m: int): ...\n", "the g "),
    Case("an output", "@one()\n@app.service_bus_queue_output('o', 'BUS', 'q')\n"
         "def f(m, o: func.Out[str]): ...\n"),
    Case("another trigger", "@app.blob_trigger('b', 'p', 'C')\ndef f(b: func.InputStream): ...\n"),
    Case("a trigger without a converter", "@app.generic_trigger('g', type='odd')\ndef f(g): ...\n"),
]  # fmt: skip
