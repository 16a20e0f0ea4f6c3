"""The checks of Azure's worker before it loads a function (its `Registry`), and its conversions.

The messages are the worker's own, so that they can be looked up.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions._thirdparty.typing_inspect import get_origin, is_generic_type
from azure.functions.meta import Datum

_IN, _OUT, _INOUT = 0, 1, 2


class FunctionLoadError(Exception):
    """The worker would not load this function, and so none of the app."""

    def __init__(self, function: str, why: str) -> None:
        super().__init__(f"cannot load the {function} function: {why}")


@dataclass(frozen=True)
class LoadableFunction:
    """A function that can be called. `decoders` convert a `Datum` to the value of each parameter.

    `encode` converts what it returns to a `Datum`; without it the function must return None.
    """

    name: str
    code: Callable[..., Any]
    folder: str
    decoders: Mapping[str, Callable[..., object]]
    encode: Callable[[object], Any] | None
    wants_context: bool


class _Generic:
    """The converter of a binding that has none of its own, and of parameters of str or bytes."""

    @staticmethod
    def check_input_type_annotation(annotation: type) -> bool:
        return issubclass(annotation, (str, bytes))

    @staticmethod
    def check_output_type_annotation(annotation: type) -> bool:
        return issubclass(annotation, (str, bytes, bytearray))

    @staticmethod
    def decode(datum: Datum | None, *, trigger_metadata: object) -> object:
        del trigger_metadata
        if datum is None:
            return None
        if datum.type not in {"string", "bytes", "json"}:
            what = 'unexpected type of data received for the "generic" binding '
            raise ValueError(what, repr(datum.type))
        return datum.value

    @staticmethod
    def encode(value: object, *, expected_type: object) -> Datum:
        del expected_type
        kinds = {str: "string", bytes: "bytes", dict: "dict", list: "list", int: "int"}
        return Datum(value, kinds.get(type(value)))


def check(function: Any) -> LoadableFunction:
    """Check a function of `FunctionApp.get_functions()` against the rules.

    Raises FunctionLoadError; NameError and TypeError for annotations that cannot be resolved.
    """
    name, code = function.get_function_name(), function.get_user_function()
    parameters = set(inspect.signature(code).parameters)
    annotations = typing.get_type_hints(code)
    bindings = {binding.name: binding for binding in function.get_bindings()}
    for binding in bindings.values():
        _check_direction(name, binding)
    returned = bindings.pop("$return", None)
    wants_context = "context" in parameters - set(bindings)
    if wants_context:
        parameters.remove("context")
        _check_context(name, annotations)
    _check_names(name, parameters, set(bindings))
    return LoadableFunction(
        name,
        code,
        str(Path(inspect.getfile(code)).parent),
        {
            parameter: _decoder(name, binding, annotations.get(parameter))
            for parameter, binding in bindings.items()
            if binding.direction == _IN
        },
        _encoder(name, returned, bindings.values(), annotations),
        wants_context,
    )


def _converter(kind: str) -> Any:
    return func.get_binding_registry().get(kind) or _Generic


def _check_direction(name: str, binding: Any) -> None:
    if binding.direction == _INOUT:
        raise FunctionLoadError(name, '"inout" bindings are not supported')
    if binding.name == "$return" and binding.direction != _OUT:
        raise FunctionLoadError(name, '"$return" binding must have direction set to "out"')


def _check_context(name: str, annotations: Mapping[str, Any]) -> None:
    given = annotations.get("context", func.Context)
    if not isinstance(given, type) or given.__name__ != "Context":
        raise FunctionLoadError(
            name,
            'the "context" parameter is expected to be of type azure.functions.Context, '
            f"got {given!r}",
        )


def _check_names(name: str, parameters: set[str], bindings: set[str]) -> None:
    if unbound := parameters - bindings:
        raise FunctionLoadError(
            name,
            "the following parameters are declared in Python but not in the function definition "
            f"(function.json or function decorators): {unbound!r}",
        )
    if missing := bindings - parameters:
        raise FunctionLoadError(
            name,
            "Extra parameters in binding definition: the following parameters are declared as "
            f"bindings but are not present in Python: {missing!r}",
        )


def _decoder(name: str, binding: Any, annotation: Any) -> Callable[..., object]:
    converter = _converter(binding.type)
    if annotation is None:
        return converter.decode  # type: ignore[no-any-return]
    if _is_out(annotation):
        raise FunctionLoadError(
            name,
            f'binding {binding.name} is declared to have the "in" direction in the binding '
            "decorator, but its annotation is azure.functions.Out in Python",
        )
    # Not list[...]: that is a types.GenericAlias, which is neither.
    if not isinstance(annotation, type) and not is_generic_type(annotation):
        raise FunctionLoadError(
            name, f"binding {binding.name} has invalid non-type annotation {annotation!r}"
        )
    if annotation in {str, bytes}:
        converter = _Generic
    if not converter.check_input_type_annotation(annotation):
        raise FunctionLoadError(
            name,
            f'type of {binding.name} binding in the binding decorator "{binding.type}" does not '
            f'match its Python annotation "{annotation.__name__}"',
        )
    return converter.decode  # type: ignore[no-any-return]


def _is_out(annotation: Any) -> bool:
    origin = get_origin(annotation) if is_generic_type(annotation) else None
    given = annotation if origin is None else origin
    return isinstance(given, type) and given.__name__ == "Out"


def _encoder(
    name: str, returned: Any, others: Any, annotations: Mapping[str, Any]
) -> Callable[[object], Any] | None:
    if returned is None:
        implicit = any(_converter(binding.type) is _Generic for binding in others)
        return partial(_Generic.encode, expected_type=None) if implicit else None
    converter = _converter(returned.type)
    if "return" in annotations:
        given = annotations["return"]
        if not isinstance(given, type):
            raise FunctionLoadError(name, f"has invalid non-type return annotation {given!r}")
        if not converter.check_output_type_annotation(given):
            raise FunctionLoadError(
                name,
                f'Python return annotation "{given.__name__}" does not match binding type '
                f'"{returned.type}"',
            )

    def encode(value: object) -> Any:
        try:
            return converter.encode(value, expected_type=annotations.get("return"))
        except NotImplementedError:
            raise TypeError(
                f'unable to encode outgoing TypedData: unsupported type "{returned.type}" for '
                f'Python type "{type(value).__name__}"'
            ) from None

    return encode
