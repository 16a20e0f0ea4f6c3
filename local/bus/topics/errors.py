"""What is wrong with a rule, when it is written and when it is applied."""

from __future__ import annotations


class RuleSyntaxError(ValueError):
    """A SQL expression of a rule is malformed; the message names where and what."""


class RuleEvaluationError(Exception):
    """A rule cannot be applied to a message: types that do not fit, an unknown system property.

    The message never holds a value of the message that was looked at.
    """
