"""The opening of a connection, as a state table: no socket and no clock.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.2 and 2.4, and part 5 (Security), 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from local.authorization.program import is_probe
from local.bus.amqp import frames
from local.bus.amqp import performatives as amqp
from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.errors import ILLEGAL_STATE, AmqpError, UnauthorizedError
from local.bus.amqp.frames import Frame, ProtocolHeader
from local.bus.amqp.values import Symbol, symbol_array

MECHANISMS = ("MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL")
CHANNEL_MAX = 255
MIN_MAX_FRAME = 512
IDLE_TIMEOUT_SECONDS = 120.0
_SASL_OK, _SASL_AUTH_FAILED = 0, 1


class Phase(Enum):
    """What a connection waits for; REFUSED is one that is to be closed, OPENED one that is open."""

    SASL_HEADER = auto()
    SASL_INIT = auto()
    AMQP_HEADER = auto()
    OPEN = auto()
    OPENED = auto()
    REFUSED = auto()


@dataclass(frozen=True)
class Peer:
    """What a client's open frame says.

    `max_frame` is the largest frame that it takes, in bytes, `idle_timeout` the seconds after which
    it gives up a silent bus (0: never). A probe is a client of the access audit, not of an app.
    """

    max_frame: int = MIN_MAX_FRAME
    idle_timeout: float = 0.0
    is_probe: bool = False


Step = Callable[["Handshake", ProtocolHeader | Frame], tuple[Phase, bytes]]


class Handshake:
    """Where the opening of one connection is, and what the client said in it.

    `check_plain` takes the name and the key of SASL PLAIN, and raises UnauthorizedError.
    """

    def __init__(self, check_plain: Callable[[str, str], None]) -> None:
        self.phase = Phase.SASL_HEADER
        self.peer = Peer()
        self.check_plain = check_plain

    @property
    def is_open(self) -> bool:
        """Return whether both sides have said open."""
        return self.phase is Phase.OPENED

    def receive(self, item: ProtocolHeader | Frame) -> bytes:
        """Take what the client sent next; return what to send, and move on to the next phase.

        Raises DecodeError and AmqpError for what does not belong there; the phase stays then.
        """
        self.phase, answer = _STEPS[self.phase](self, item)
        return answer


def body_of(item: ProtocolHeader | Frame, kind: int) -> bytes:
    """Return the body of a frame. Raises DecodeError for a header or a frame of another layer."""
    if not isinstance(item, Frame) or item.kind != kind:
        raise DecodeError("header or frame of another layer")
    return item.body


def _on_sasl_header(_handshake: Handshake, item: ProtocolHeader | Frame) -> tuple[Phase, bytes]:
    header = frames.HEADER[frames.SASL]
    # Nobody gets past here without SASL, as in Azure.
    if not _is_header(item, frames.SASL):
        return Phase.REFUSED, header
    return Phase.SASL_INIT, header + _sasl(amqp.SaslMechanisms(symbol_array(MECHANISMS)))


def _on_sasl_init(handshake: Handshake, item: ProtocolHeader | Frame) -> tuple[Phase, bytes]:
    init, _ = amqp.read(body_of(item, frames.SASL))
    if not isinstance(init, amqp.SaslInit):
        raise DecodeError("SASL without an init")
    if not _authenticates(handshake, init):
        return Phase.REFUSED, _sasl(amqp.SaslOutcome(_SASL_AUTH_FAILED))
    return Phase.AMQP_HEADER, _sasl(amqp.SaslOutcome(_SASL_OK))


def _authenticates(handshake: Handshake, init: amqp.SaslInit) -> bool:
    # ANONYMOUS, MSSBCBS and EXTERNAL lead to $cbs only: rights come with a token.
    if init.mechanism != "PLAIN":
        return init.mechanism in MECHANISMS
    try:
        _, name, key = (init.initial_response or b"").decode().split("\0")
        handshake.check_plain(name, key)
    except (UnauthorizedError, ValueError):
        return False
    return True


def _on_amqp_header(_handshake: Handshake, item: ProtocolHeader | Frame) -> tuple[Phase, bytes]:
    accepted = _is_header(item, frames.AMQP)
    return Phase.OPEN if accepted else Phase.REFUSED, frames.HEADER[frames.AMQP]


def _on_open(handshake: Handshake, item: ProtocolHeader | Frame) -> tuple[Phase, bytes]:
    opening, _ = amqp.read(body_of(item, frames.AMQP))
    if not isinstance(opening, amqp.Open):
        raise AmqpError(ILLEGAL_STATE, "The connection is not open.")
    handshake.peer = Peer(
        min(opening.max_frame_size, frames.MAX_FRAME),
        (opening.idle_time_out or 0) / 1000,
        is_probe((opening.properties or {}).get(Symbol("user-agent"))),
    )
    answer = amqp.Open(
        container_id="local.bus",
        max_frame_size=frames.MAX_FRAME,
        channel_max=CHANNEL_MAX,
        idle_time_out=int(IDLE_TIMEOUT_SECONDS * 1000),
    )
    return Phase.OPENED, frames.frame(frames.AMQP, 0, amqp.write(answer))


def _on_anything_later(_handshake: Handshake, _item: ProtocolHeader | Frame) -> tuple[Phase, bytes]:
    raise AmqpError(ILLEGAL_STATE, "The opening of the connection is over.")


_STEPS: Mapping[Phase, Step] = {
    Phase.SASL_HEADER: _on_sasl_header,
    Phase.SASL_INIT: _on_sasl_init,
    Phase.AMQP_HEADER: _on_amqp_header,
    Phase.OPEN: _on_open,
    Phase.OPENED: _on_anything_later,
    Phase.REFUSED: _on_anything_later,
}


def _is_header(item: ProtocolHeader | Frame, kind: int) -> bool:
    return isinstance(item, ProtocolHeader) and item.octets == frames.HEADER[kind]


def _sasl(performative: amqp.Performative) -> bytes:
    return frames.frame(frames.SASL, 0, amqp.write(performative))
