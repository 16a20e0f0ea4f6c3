"""SQL filters and actions, by the examples of the documentation and beyond."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bus.amqp.encoding import encode_section
from local.bus.amqp.message import Message, application_properties, parse, properties_fields
from local.bus.amqp.values import Described, Float, Int, Long, Symbol, Timestamp, UInt, Value
from local.bus.topics.errors import RuleEvaluationError, RuleSyntaxError
from local.bus.topics.message_properties import MessageProperties
from local.bus.topics.rules import compile_rule, copies
from local.bus.topics.sql_nodes import Scope
from local.bus.topics.sql_parser import parse_action, parse_filter
from local.bus.topics.sql_values import UNKNOWN, Truth
from local.deployment.rules import (
    CorrelationFilterSpec,
    FalseFilterSpec,
    ParameterValue,
    RuleSpec,
    SqlSpec,
    TrueFilterSpec,
)

NOW = 1_000_000.0


def message(user: Mapping[str, Value] | None = None, **fields: Value) -> Message:
    positions = {"to": 2, "subject": 3, "reply_to": 4, "correlation_id": 5, "session_id": 10}
    properties: list[Value] = ["id-1", *[None] * 12]
    for name, value in fields.items():
        properties[positions[name]] = value
    application: dict[Value, Value] = dict((user or {}).items())
    return parse(
        encode_section(0x73, properties)
        + encode_section(0x74, application)
        + encode_section(0x75, b"body")
    )


def truth(
    expression: str,
    user: Mapping[str, Value] | None = None,
    parameters: Mapping[str, ParameterValue] | None = None,
    **fields: Value,
) -> Truth:
    properties = MessageProperties(message(user, **fields), NOW)
    return parse_filter(expression).truth(Scope(properties, parameters or {}))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sys.Label LIKE '%bus%'", True),
        ("sys.label LIKE 'bus%' OR user.tag IN ('queue', 'topic', 'subscription')", True),
        ("StoreId IN('Store1', 'Store2', 'Store3')", True),
        ("sys.To IN ('Store5','Store6','Store7') OR StoreId = 'Store8'", False),
        ("sys.To NOT IN ('Store1','Store2') OR StoreId NOT IN ('Store1','Store2')", True),
        ("[Property With Space] = 1", True),
        ("[HR-EmployeeID] = 'x' AND \"Contoso & Northwind\" = 'y'", True),
        ("[a]]b] = 2", True),
        ("storeid = 'Store1'", True),  # names have no case
        ("StoreId = 'store1'", False),  # values have
        ("(quantity > 9 AND quantity <= 10) AND NOT quantity <> 10", True),
        ("quantity = 10.0", True),
        ("quantity * 2 + 1 = 21", True),
        ("2 + 3 * 4 = 14 AND (2 + 3) * 4 = 20", True),
        ("-7 / 2 = -3 AND -7 % 2 = -1", True),
        ("7.0 / 2 = 3.5", True),
        ("1894.1204 > 1894 AND 101.5E5 = 10150000 AND 0.5E-2 < 1", True),
        ("ready = TRUE AND ready <> FALSE", True),
        ("rate = 0.5", True),
        ("EXISTS(quantity) AND NOT EXISTS(user.nothing)", True),
        ("nothing IS NULL AND quantity IS NOT NULL", True),
        ("sys.ReplyTo IS NULL", True),
        ("property('quantity') = 10 AND p('quan' + 'tity') = 10", True),
        ("newid() <> newid()", True),
        ("'it''s' = 'it''s'", True),
        ("StoreId + '-' + quantity = 'Store1-10'", True),
        ("id = guid", True),
        ("sys.EnqueuedTimeUtc >= since", True),
        ("1=1", True),
    ],
)
def test_the_documented_grammar_is_evaluated_as_documented(expression: str, expected: bool) -> None:
    user: dict[str, Value] = {
        "tag": "topic",
        "StoreId": "Store1",
        "quantity": Int(10),
        "Property With Space": Long(1),
        "HR-EmployeeID": "x",
        "Contoso & Northwind": "y",
        "a]b": 2,
        "ready": True,
        "rate": Float(0.5),
        "id": UUID(int=5),
        "guid": UUID(int=5),
        "since": Timestamp(int(NOW * 1000)),
    }

    assert truth(expression, user, subject="a bus", to="Store9") is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("ABC\\%", "ABC%", True),
        ("ABC\\%", "ABCD", False),
        ("A_C", "ABC", True),
        ("A_C", "AC", False),
        ("%", "", True),
        ("", "", True),
        ("", "a", False),
        ("%b%d", "abcbd", True),
        ("a.c", "abc", False),
        ("(a+)+$", "aaaa", False),
        ("\\\\", "\\", True),
    ],
)
def test_a_pattern_has_two_wildcards_and_an_escape(pattern: str, text: str, expected: bool) -> None:
    assert truth(f"x LIKE '{pattern}' ESCAPE '\\'", {"x": text}) is expected
    assert truth(f"x NOT LIKE '{pattern}' ESCAPE '\\'", {"x": text}) is not expected


def test_a_pattern_of_many_wildcards_takes_no_time() -> None:
    assert truth(f"x LIKE '{'%a' * 200}b'", {"x": "a" * 20_000}) is False


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("nothing = 1", UNKNOWN),
        ("NOT nothing = 1", UNKNOWN),
        ("nothing + 1 > 0", UNKNOWN),
        ("-nothing > 0", UNKNOWN),
        ("nothing LIKE '%'", UNKNOWN),
        ("'a' NOT LIKE nothing", UNKNOWN),
        ("nothing IN (1, 2)", UNKNOWN),
        ("nothing NOT IN (1, 2)", UNKNOWN),
        ("1 IN (nothing, 1)", True),
        ("null_one = 1", UNKNOWN),
        ("null_one IS NULL", True),
        ("EXISTS(null_one)", False),
        ("x = NULL", UNKNOWN),
        ("x = @missing", UNKNOWN),
        ("1=1 AND nothing=1", UNKNOWN),
        ("1=2 AND nothing=1", False),
        ("nothing=1 AND 1=2", False),
        ("1=1 OR nothing=1", True),
        ("nothing=1 OR 1=1", True),
        ("1=2 OR nothing=1", UNKNOWN),
        ("nothing=1 OR nothing=1", UNKNOWN),
    ],
)
def test_what_is_not_there_is_unknown(expression: str, expected: Truth) -> None:
    assert truth(expression, {"x": 1, "null_one": None}) is expected


@pytest.mark.parametrize(
    "expression",
    [
        "x = 'a'",
        "'a' > 1",
        "y LIKE 1",
        "x LIKE 'a'",
        "TRUE > FALSE",
        "x = TRUE",
        "x / 0 = 1",
        "x % 0 = 1",
        "-y = 1",
        "y - 1 = 1",
        "sys.Nothing = 1",
        "x LIKE 'a' ESCAPE 'ab'",
        "y LIKE 'a!' ESCAPE '!'",
        "p(1) = 1",
        "list = 1",
        "TRUE + 1 = 2",
    ],
)
def test_types_that_do_not_fit_are_an_error_of_evaluation(expression: str) -> None:
    with pytest.raises(RuleEvaluationError):
        truth(expression, {"x": 1, "y": "abc", "list": [1]})


@pytest.mark.parametrize(
    "expression",
    [
        "",
        " ",
        "x",
        "TRUE",
        "x =",
        "= 1",
        "x = 1 AND",
        "x == 1",
        "x = 1)",
        "(x = 1",
        "x IS 1",
        "1 IS NULL",
        "x IN ()",
        "x IN 1",
        "x NOT 1",
        "x NOT = 1",
        "EXISTS x",
        "EXISTS(1)",
        "foo(1) = 1",
        "newid(1) = 1",
        "a.b = 1",
        "sys.sys.a = 1",
        "x = 'a",
        'x = ""',
        "[x = 1",
        "AND = 1",
        "x = 1; y = 2",
        "x = #",
        "(x = 1) + 1 = 2",
        "x AND y",
        "NOT x",
        "_x = 1",
        "x = 99999999999999999999",
        "(" * 40 + "x" + ")" * 40 + " = 1",
        "x = 1 " + "-" * 40 + "1",
        "x = " + "-" * 40 + "1",
        "NOT " * 40 + "x = 1",
        "x = '" + "a" * 1024 + "'",
        "x BETWEEN 1 AND 2",
        "SELECT 1",
        "@p.x = 1",
    ],
)
def test_what_the_grammar_does_not_have_is_refused(expression: str) -> None:
    with pytest.raises(RuleSyntaxError):
        parse_filter(expression)


def test_a_long_sum_is_no_deep_recursion_too_many() -> None:
    assert truth("x = " + "1+" * 500 + "1", {"x": 501}) is True


def test_parameters_are_values() -> None:
    parameters: dict[str, ParameterValue] = {
        "@text": "orders",
        "@at": datetime(2020, 7, 5, tzinfo=UTC),
        "@span": timedelta(days=1),
    }
    user: dict[str, Value] = {
        "source": "orders",
        "at": Timestamp(1_594_000_000_000),
        "span": Described(Symbol("com.microsoft:timespan"), Long(24 * 3600 * 10_000_000)),
    }

    found = truth("source = @text AND at > @at AND span = @span", user, parameters)

    assert found is True


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(expression: str) -> None:
    for parse_one in (parse_filter, parse_action):
        with contextlib.suppress(RuleSyntaxError):
            parse_one(expression)


_WORDS = st.sampled_from(
    [
        "x",
        "y",
        "sys.Label",
        "'a'",
        "1",
        "2.5",
        "NULL",
        "TRUE",
        "(",
        ")",
        "=",
        "<",
        "+",
        "-",
        "/",
        "%",
        "AND",
        "OR",
        "NOT",
        "IN",
        ",",
        "LIKE",
        "IS",
        "EXISTS",
        "@p",
        "newid()",
        "p('x')",
        "ESCAPE",
    ]
)


@given(st.lists(_WORDS, max_size=14).map(" ".join))
def test_what_is_parsed_is_evaluated_or_an_error_of_evaluation(expression: str) -> None:
    with contextlib.suppress(RuleSyntaxError, RuleEvaluationError):
        assert truth(expression, {"x": 1, "y": "b"}, {"@p": 3}) in (True, False, UNKNOWN)


# Actions


def changed(action: str, user: Mapping[str, Value] | None = None, **fields: Value) -> Message:
    rule = compile_rule(RuleSpec("r", TrueFilterSpec(), SqlSpec(action, {"@p": "given"})))
    (found,) = copies([rule], message(user, **fields), NOW)
    return found


def test_an_action_sets_and_removes_properties() -> None:
    found = changed(
        "SET a = b + 1; SET sys.Label = 'routed' REMOVE c SET d = @p; SET user.e = NULL;",
        {"b": Int(4), "c": "gone", "B2": 1},
        subject="before",
        to="somewhere",
    )

    assert application_properties(found) == {
        "a": 5,
        "b": 4,
        "B2": 1,
        "d": "given",
        "e": None,
        "RuleName": "r",
    }
    assert properties_fields(found)[2:4] == ["somewhere", "routed"]
    assert found.body == message().body


def test_a_number_keeps_its_type_and_its_name() -> None:
    found = application_properties(
        changed("SET Count = 7; SET RATE = 2", {"COUNT": UInt(1), "rate": 0.5})
    )

    assert type(found["COUNT"]) is UInt
    assert found["rate"] == 2.0
    assert type(found["rate"]) is float


@pytest.mark.parametrize(
    "action",
    [
        "SET sys.Nothing = 1",
        "SET sys.Label = 1",
        "REMOVE sys.Label",
        "SET sys.SequenceNumber = 1",
        "SET a = 'x' - 1",
        "SET sys.MessageId = 'x'",
    ],
)
def test_an_action_that_cannot_be_applied_is_an_error_of_evaluation(action: str) -> None:
    with pytest.raises(RuleEvaluationError):
        changed(action)


@pytest.mark.parametrize(
    "action",
    [
        "",
        "SET",
        "SET a",
        "SET a = ",
        "SET a = 1, SET b = 2",
        "REMOVE",
        "DELETE a",
        "SET a = 1 = 1",
        "SET 'a' = 1",
        "SET a = (b = 1)",
        "x = 1",
        ";",
        "SET a = 1;" * 33,
    ],
)
def test_an_action_outside_the_grammar_is_refused(action: str) -> None:
    with pytest.raises(RuleSyntaxError):
        parse_action(action)


# Rules


def taken(
    *rules: RuleSpec, user: Mapping[str, Value] | None = None, **fields: Value
) -> list[object]:
    found = copies([compile_rule(rule) for rule in rules], message(user, **fields), NOW)
    return [application_properties(one).get("RuleName") for one in found]


def test_rules_without_an_action_make_one_copy_together() -> None:
    assert taken(RuleSpec("a"), RuleSpec("b", SqlSpec("x = 1")), user={"x": 1}) == [None]


def test_each_rule_with_an_action_makes_a_copy_of_its_own() -> None:
    rules = [RuleSpec(name, TrueFilterSpec(), SqlSpec("SET y = 1")) for name in ("a", "b")]

    assert taken(RuleSpec("plain"), *rules) == [None, "a", "b"]


def test_no_rule_and_no_match_take_nothing() -> None:
    assert taken() == []
    assert taken(RuleSpec("a", FalseFilterSpec()), RuleSpec("b", SqlSpec("x = 1"))) == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"n": 5}, True),
        ({"n": "5"}, False),  # types are not converted (azure-service-bus 401)
        ({"flag": True}, True),
        ({"flag": 1}, False),
        ({"text": "Red"}, True),
        ({"text": "red"}, False),
        ({"text": "Red", "missing": "x"}, False),
    ],
)
def test_a_correlation_filter_compares_all_its_properties(
    wanted: dict[str, ParameterValue], expected: bool
) -> None:
    rule = RuleSpec("c", CorrelationFilterSpec({"Label": "a", "CorrelationId": "7"}, wanted))
    user: dict[str, Value] = {"n": Int(5), "flag": True, "text": "Red"}

    found = taken(rule, user=user, subject="a", correlation_id="7")

    assert found == ([None] if expected else [])
    assert taken(rule, user=user, subject="b", correlation_id="7") == []
