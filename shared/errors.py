"""The one root of what goes wrong here, with what a caller has to know as fields."""

from __future__ import annotations


class RelayError(Exception):
    """Something was not done; the text says what and why, never a secret or a payload.

    `transient`: the same call may succeed later, so it is worth repeating.
    `is_denial`: a service refuses this app's identity or its secret, which an operator corrects.
    `is_throttled`: a service refuses the call as one too many.
    `retry_after`: the seconds to wait before the next call, where the service gave them.

    A class sets what is true of all its errors, an instance what is true of itself.
    """

    transient: bool = False
    is_denial: bool = False
    is_throttled: bool = False
    retry_after: float | None = None

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CallCancelledError(RelayError):
    """A call that others share was cancelled in the middle: it may have been done all the same."""

    transient = True
