"""What is kept of a request tells a person from a machine, and names nobody."""

from starlette.requests import Request

from serienmail.domain.judging import MachineList
from serienmail.mailing.links import MailRef
from serienmail.storage.visits import VisitTo
from web.visitors import Visitors

MAIL = MailRef(number=1, stage=0, seq=1)
FILTERS = MachineList.of({"agents": [], "exact_agents": [], "networks": ["192.0.2.0/24"]})


def a_visit(mail: MailRef = MAIL, address: str = "198.51.100.7", agent: str = "Firefox", key: bytes = b"k") -> VisitTo:
    """A request for a mail's pixel."""
    headers = [(b"user-agent", agent.encode("latin-1"))]
    scope = {"type": "http", "method": "GET", "headers": headers, "client": (address, 40_000)}
    return Visitors(FILTERS, key).visit(Request(scope), mail)


def test_neighbours_in_a_network_have_one_hash_which_only_the_key_s_owner_can_make() -> None:
    network = a_visit().visit.network
    assert a_visit(address="198.51.100.99").visit.network == network
    assert a_visit(address="198.51.101.7").visit.network != network
    assert a_visit(key=b"another").visit.network != network
    assert "198" not in network


def test_a_filter_is_known_by_its_address_which_is_not_kept() -> None:
    assert a_visit(address="192.0.2.9").visit.scanner
    assert not a_visit().visit.scanner


def test_each_request_has_an_id_of_its_own() -> None:
    assert a_visit().id != a_visit().id


def test_an_agent_is_cut_and_can_be_stored_anywhere() -> None:
    assert a_visit(agent="x\0" * 999).visit.agent == "x" * 300
