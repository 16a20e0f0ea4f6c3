"""Topics and their subscriptions, pure: what is sent to a topic becomes copies in subscriptions.

Source: Microsoft Learn, "Service Bus queues, topics, and subscriptions", "Topic filters and
actions", "Message expiration".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from local.bus.broker.entry import QueueEntry
from local.bus.broker.queue import Queue
from local.bus.broker.store import NullRecorder, StoreRecorder
from local.bus.topics.errors import RuleEvaluationError, RuleSyntaxError
from local.bus.topics.rules import Rule, compile_rule, copies
from local.deployment.resources import QueueSpec, SubscriptionSpec, TopicSpec
from local.deployment.rules import DEFAULT_RULE, CorrelationFilterSpec, RuleSpec
from local.resource_manager.topics import MAX_CORRELATION_FILTERS, MAX_SQL_FILTERS

TOO_MANY_FILTERS = (
    f"A topic has at most {MAX_SQL_FILTERS} SQL and {MAX_CORRELATION_FILTERS} correlation filters."
)
FILTER_FAILED = "FilterEvaluationException"
# Source: Microsoft Learn, "Overview of Service Bus dead-letter queues".
NO_SESSION = "Session ID is null"
_NO_SESSION_WHY = "Session enabled entity doesn't allow a message whose session identifier is null."


class Topic(Queue):
    """A topic. It holds what is scheduled; all else goes to its subscriptions at once."""

    def __init__(
        self,
        spec: TopicSpec,
        recorder: Callable[[str], StoreRecorder] = lambda _: NullRecorder(),
    ) -> None:
        super().__init__(spec, recorder)
        self.dead_letters = None
        self.subscriptions: dict[str, Subscription] = {}

    @property
    def size_in_bytes(self) -> int:
        """What the topic holds, with its subscriptions: its size limits them together."""
        held = sum(one.size_in_bytes for one in self.subscriptions.values())
        return self.store.total_bytes + held

    def has_room_for(self, rule: RuleSpec, replaced: RuleSpec | None = None) -> bool:
        """Return whether a rule's filter is within what a topic may have in all subscriptions."""
        is_correlation = isinstance(rule.condition, CorrelationFilterSpec)
        limit = MAX_CORRELATION_FILTERS if is_correlation else MAX_SQL_FILTERS
        # A filter that takes all, or nothing, is a SQL filter in Azure. The default rule is not
        # counted: a topic could not have as many subscriptions as it may have.
        alike = sum(
            isinstance(one.condition, CorrelationFilterSpec) == is_correlation
            for subscription in self.subscriptions.values()
            for one in subscription.subscription_spec.rules
            if one is not replaced and one.name != DEFAULT_RULE
        )
        return alike < limit

    def publish(self, now: float) -> list[Subscription]:
        """Move what is due to the subscriptions; return those that may have got something."""
        reached = False
        while (entry := self.first(now)) is not None:
            # Put before it is removed: a crash between the two may double it but not lose it.
            for subscription in self.subscriptions.values():
                subscription.accept(entry, now)
            self.take(now)
            reached = True
        return list(self.subscriptions.values()) if reached else []


class Subscription(Queue):
    """A subscription, by its rules."""

    def __init__(
        self,
        spec: SubscriptionSpec,
        topic: Topic,
        recorder: Callable[[str], StoreRecorder] = lambda _: NullRecorder(),
    ) -> None:
        super().__init__(spec, recorder)
        self.topic = topic
        self._rules = _compiled(spec)

    @property
    def subscription_spec(self) -> SubscriptionSpec:
        """Its properties, with its rules."""
        assert isinstance(self.spec, SubscriptionSpec)  # noqa: S101 - made and configured with one
        return self.spec

    def configure(self, spec: QueueSpec) -> None:
        """Go by other properties and rules from now on. Raises RuleSyntaxError."""
        if isinstance(spec, SubscriptionSpec):
            self._rules = _compiled(spec)
        super().configure(spec)

    def accept(self, published: QueueEntry, now: float) -> None:
        """Take what the rules take of a message of the topic."""
        number = published.enqueued_sequence_number or published.sequence_number
        try:
            taken = copies(self._rules, published.message, published.enqueued_at)
        except RuleEvaluationError as error:
            if self.subscription_spec.dead_letter_on_filter_errors:
                self._dead_letter_copy(published, FILTER_FAILED, str(error), now)
            return
        for message in taken:
            if self.spec.requires_session and message.session_id is None:
                copy = replace(published, message=message)
                self._dead_letter_copy(copy, NO_SESSION, _NO_SESSION_WHY, now)
                continue
            self.send(message, now, origin=number, source=published.dead_letter_source)

    def _dead_letter_copy(self, published: QueueEntry, reason: str, why: str, now: float) -> None:
        assert self.dead_letters is not None  # noqa: S101 - only dead letters have none
        entry = replace(
            published,
            sequence_number=self.store.next_number(),
            enqueued_at=now,
            enqueued_sequence_number=published.sequence_number,
        )
        self.dead_letters.store.put(entry.dead_lettered(reason, why))

    def default_time_to_live(self) -> float | None:
        """Return the shorter limit of topic and subscription, in seconds; None for no limit."""
        # A topic's time to live is the longest that any message may ask for.
        limits = (self.spec.time_to_live, self.topic.spec.time_to_live)
        return min((one.total_seconds() for one in limits if one is not None), default=None)


def _compiled(spec: SubscriptionSpec) -> list[Rule]:
    """Compile a subscription's rules. Raises RuleSyntaxError, which names the rule."""
    compiled: list[Rule] = []
    for rule in spec.rules:
        try:
            compiled.append(compile_rule(rule))
        except RuleSyntaxError as error:
            raise RuleSyntaxError(f"{spec.name}, rule {rule.name}: {error}") from None
    return compiled
