"""Rules of subscriptions, read from and written into descriptions.

Source: Microsoft Learn, "Service Bus REST API", rules; the schema types are those of .NET's data
contracts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element

from local.bus.administration.atom import (
    SCHEMA,
    Description,
    children,
    description,
    duration,
    kind_of,
    node,
)
from local.bus.administration.errors import bad_request
from local.bus.topics.errors import RuleSyntaxError
from local.bus.topics.rules import compile_rule
from local.deployment.rules import (
    CorrelationFilterSpec,
    FalseFilterSpec,
    FilterSpec,
    ParameterValue,
    RuleSpec,
    SqlSpec,
    TrueFilterSpec,
    is_rule_name,
)
from local.resource_manager import durations

_SYSTEM = (
    *("CorrelationId", "MessageId", "To", "ReplyTo", "Label"),
    *("SessionId", "ReplyToSessionId", "ContentType"),
)
_LEVEL = 20  # of the SQL dialect, the only one there is
_PAIR = "KeyValueOfstringanyType"
# What Azure says of the filters that take all, or nothing.
_ALL, _NOTHING = SqlSpec("1=1"), SqlSpec("1=0")
_NOTHING_OF_PYTHON = SqlSpec("1>1")  # as the SDK for Python sends it


def read_rule(given: Description, name: str, now: float) -> RuleSpec:
    """Read a RuleDescription. Raises AdministrationError."""
    if not is_rule_name(name):
        raise bad_request(f"The name of the rule is not valid: {name[:60]}.")
    named = given.text("Name")
    if named not in (None, "", name):
        raise bad_request("The name of the rule is not the one in the address.")
    given.ignore("CreatedAt")
    condition, action = given.element("Filter"), given.element("Action")
    given.reject_unread()
    found = RuleSpec(
        name,
        TrueFilterSpec() if condition is None else _read_filter(condition),
        None if action is None else _read_action(action),
        now,
    )
    try:
        compile_rule(found)
    except RuleSyntaxError as error:
        raise bad_request(f"Rule {name}: {error}") from None
    return found


def write_rule(rule: RuleSpec) -> str:
    """Write a RuleDescription."""
    return description("RuleDescription", *rule_parts(rule))


def rule_parts(rule: RuleSpec) -> tuple[str, ...]:
    """Write the parts of a rule."""
    empty = node("Action", i_type="EmptyRuleAction")
    return (
        _write_filter(rule.condition),
        _sql("Action", "SqlRuleAction", rule.action) if rule.action else empty,
        node("CreatedAt", text=rule.created_at),
        node("Name", text=rule.name),
    )


def _read_filter(element: Element) -> FilterSpec:
    given = Description(element)
    match kind_of(element):
        case "TrueFilter":
            _read_constant(given, _ALL)
            return TrueFilterSpec()
        case "FalseFilter":
            _read_constant(given, _NOTHING, _NOTHING_OF_PYTHON)
            return FalseFilterSpec()
        case "SqlFilter":
            return _read_sql(given)
        case "CorrelationFilter":
            return _read_correlation(given)
    raise bad_request("The filter must be a Sql-, Correlation-, True- or FalseFilter.")


def _read_action(element: Element) -> SqlSpec | None:
    match kind_of(element):
        case "EmptyRuleAction":
            Description(element).reject_unread()
            return None
        case "SqlRuleAction":
            return _read_sql(Description(element))
    raise bad_request("The action must be a SqlRuleAction or EmptyRuleAction.")


def _read_constant(given: Description, *known: SqlSpec) -> None:
    """Read a filter that is a SQL filter with an expression of its own, which may be left out."""
    text = "".join((given.text("SqlExpression") or known[0].expression).split())
    if text not in [one.expression for one in known] or _read_options(given):
        raise bad_request(f"The expression of this filter is always {known[0].expression}.")


def _read_sql(given: Description) -> SqlSpec:
    expression = given.text("SqlExpression")
    parameters = _read_options(given)
    if expression is None:
        raise bad_request("SqlExpression is missing.")
    return SqlSpec(expression, parameters)


def _read_options(given: Description) -> Mapping[str, ParameterValue]:
    """Read what is left of a SQL filter or action, and return its parameters."""
    if given.number("CompatibilityLevel", _LEVEL, 0, 100) != _LEVEL:
        raise bad_request(f"CompatibilityLevel must be {_LEVEL}.")
    # Reserved, and sent as true by one SDK and as false by another: it says nothing.
    given.flag("RequiresPreprocessing", default=False)
    parameters = _read_pairs(given.element("Parameters"))
    given.reject_unread()
    return parameters


def _read_correlation(given: Description) -> CorrelationFilterSpec:
    texts = {name: given.text(name) for name in _SYSTEM}
    properties = _read_pairs(given.element("Properties"))
    given.reject_unread()
    system = {name: text for name, text in texts.items() if text is not None}
    if not system and not properties:
        raise bad_request("A CorrelationFilter needs a property at least.")
    return CorrelationFilterSpec(system, properties)


def _read_pairs(element: Element | None) -> Mapping[str, ParameterValue]:
    found: dict[str, ParameterValue] = {}
    for name, pair in children(element) if element is not None else ():
        given = Description(pair)
        key, value = given.text("Key"), given.element("Value")
        given.reject_unread()
        if name != _PAIR or not key or value is None or key in found:
            raise bad_request("Properties and parameters must be pairs of a Key and a Value.")
        found[key] = _read_value(key, value)
    return found


def _read_value(key: str, value: Element) -> ParameterValue:
    text = value.text or ""
    kind = kind_of(value)
    try:
        found = _typed(kind, text)
    except (ValueError, OverflowError):
        raise bad_request(f"The value of {key[:60]} is not of the type {kind}.") from None
    if found is None:
        raise bad_request(f"The type {kind[:60]} of {key[:60]} is not supported.")
    return found


def _typed(kind: str, text: str) -> ParameterValue | None:
    match kind:
        case "string" | "char" | "guid" | "anyURI":
            return text
        case "int" | "long" | "short" | "byte" | "unsignedInt" | "unsignedLong" | "unsignedShort":
            found = int(text)
            if not -(2**63) <= found < 2**63:
                raise ValueError
            return found
        case "double" | "float" | "decimal":
            return float(text)
        case "boolean" if text in ("true", "false", "1", "0"):
            return text in ("true", "1")
        case "dateTime":
            at = datetime.fromisoformat(text)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        case "duration":
            return durations.parse(text) or timedelta.max
        case "boolean":
            raise ValueError
    return None


def _write_filter(spec: FilterSpec) -> str:
    match spec:
        case TrueFilterSpec():
            return _sql("Filter", "TrueFilter", _ALL)
        case FalseFilterSpec():
            return _sql("Filter", "FalseFilter", _NOTHING)
        case SqlSpec():
            return _sql("Filter", "SqlFilter", spec)
    system = [node(name, text=spec.system[name]) for name in _SYSTEM if name in spec.system]
    properties = node("Properties", *_pairs(spec.properties))
    return node("Filter", *system, properties, i_type="CorrelationFilter")


def _sql(name: str, kind: str, spec: SqlSpec) -> str:
    return node(
        name,
        node("SqlExpression", text=spec.expression),
        node("CompatibilityLevel", text=_LEVEL),
        node("Parameters", *_pairs(spec.parameters)),
        i_type=kind,
    )


def _pairs(values: Mapping[str, ParameterValue]) -> list[str]:
    return [
        node(_PAIR, node("Key", text=key), _write_value(value)) for key, value in values.items()
    ]


def _write_value(value: ParameterValue) -> str:
    kind, text = _xml_value(value)
    return node("Value", text=text, i_type=f"d4p1:{kind}", xmlns_d4p1=SCHEMA)


def _xml_value(value: ParameterValue) -> tuple[str, str]:
    match value:
        case bool():
            return "boolean", str(value).lower()
        case int():
            return "int" if abs(value) < 2**31 else "long", str(value)
        case float():
            return "double", str(value) if math.isfinite(value) else str(value).upper()
        case datetime():
            return "dateTime", value.replace(tzinfo=None).isoformat()
        case timedelta():
            return "duration", duration(None if value == timedelta.max else value)
    return "string", value
