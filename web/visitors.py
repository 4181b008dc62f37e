"""From a request to a visit: what is needed to tell a person from a machine, and nothing that names anybody."""

import hmac
from datetime import UTC, datetime
from uuid import uuid4

from starlette.requests import Request

from serienmail.domain.judging import MachineList, Visit, network_of
from serienmail.mailing.links import MailRef
from serienmail.storage.visits import VisitTo

_LONGEST_AGENT = 300


class Visitors:
    """key: a secret; whoever has it could find the network behind a hash by trying all."""

    def __init__(self, machines: MachineList, key: bytes) -> None:
        self._machines = machines
        self._key = hmac.digest(key, b"serienmail network", "sha256")

    def visit(self, request: Request, mail: MailRef, link: int = 0) -> VisitTo:
        """This request, for the pixel of a mail or for one of its links."""
        address = request.client.host if request.client else ""
        network = hmac.digest(self._key, network_of(address).encode(), "sha256")[:16].hex()
        came = Visit(
            at=datetime.now(UTC),
            link=link,
            method=request.method,
            network=network if address else "",
            agent=request.headers.get("user-agent", "").replace("\0", "")[:_LONGEST_AGENT],
            scanner=self._machines.is_scanner(address),
        )
        return VisitTo(uuid4().hex, mail.number, mail.stage, mail.seq, came)
