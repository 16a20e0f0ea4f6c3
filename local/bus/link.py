"""What links in both directions have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.bus import performatives as amqp
from local.bus.address import Address
from local.bus.errors import BusError
from local.bus.principal import Principal, Right

if TYPE_CHECKING:
    from local.bus.session import Session


class Link:
    """One link. `right` is what its token must give while it lasts; None where any token does.

    `holder` is whose token it was, when that was last looked at.
    """

    def __init__(
        self,
        session: Session,
        attach: amqp.Attach,
        address: Address,
        right: Right | None,
        holder: Principal | None = None,
    ) -> None:
        self.session = session
        self.handle = attach.handle
        self.address = address
        self.right = right
        self.holder = holder
        self.credit = 0
        self.delivery_count = 0

    def start(self) -> None:
        """Do what follows on the attach."""

    def stop(self) -> None:
        """Let go of everything."""

    def wake(self) -> None:
        """Go on after a pause."""

    def on_flow(self, flow: amqp.Flow) -> None:
        """Act on the client's word about this link."""

    def check_rights(self) -> bool:
        """Tell whether the link may go on; detach it if it may not."""
        if self.right is None:
            return True
        try:
            self.holder = self.session.claims.require(self.right, self.address)
        except BusError as error:
            self.session.detach(self, error)
            return False
        return True
