"""The post office: what an answer of the mail server means for one recipient."""

import asyncio
from dataclasses import replace

import pytest

from serienmail.domain.delivery import Answer, Verdict
from serienmail.domain.errors import NotFound, PlaceholderMissing
from serienmail.domain.template import Template, TemplateRef
from serienmail.mailing.account import Account
from serienmail.mailing.links import LinkKind, Links
from serienmail.mailing.post import Post, PostOffice
from serienmail.mailing.replies import IN_DOUBT, InDoubt, Phase, Reply
from tests.fakes import FakeTransport, claimed

ACCOUNT = Account(host="127.0.0.1", from_address="mailing@müller.example", connections=2)
LINKS = Links("https://mail.example.org", b"k" * 32)


class _Templates:
    def __init__(self, text: str) -> None:
        self._template = Template("autumn", "Autumn", text=text, revision=1)
        self.asked = 0

    async def get(self, ref: TemplateRef) -> Template:
        self.asked += 1
        await asyncio.sleep(0)
        return self._template


def office(transport: FakeTransport, text: str = "{{ salutation }}, autumn is here") -> tuple[PostOffice, _Templates]:
    templates = _Templates(text)
    return PostOffice(templates, {"marketing": ACCOUNT}, LINKS, None, lambda _account, _limits: transport), templates


async def post_of(transport: FakeTransport, text: str = "autumn is here") -> Post:
    return await office(transport, text)[0].post("autumn@1", "marketing", follow_up=False)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (Reply(Phase.DOT, 250, "2.0.0 ok"), Answer(Verdict.ACCEPTED, "250 2.0.0 ok")),
        (Reply(Phase.RCPT, 451, "4.3.0 later"), Answer(Verdict.DEFERRED, "451 4.3.0 later", "451 4.3.0")),
        (Reply(Phase.RCPT, 550, "5.1.1 nobody"), Answer(Verdict.REJECTED, "550 5.1.1 nobody", "550 5.1.1", True)),
        (IN_DOUBT, Answer(Verdict.IN_DOUBT)),
    ],
)
async def test_the_server_s_answer_becomes_a_verdict(reply: Reply | InDoubt, answer: Answer) -> None:
    post = await post_of(FakeTransport(reply))
    assert await post.deliver(claimed(1)) == answer


@pytest.mark.parametrize(
    ("text", "verdict", "gist"),
    [
        ("{{ contact.city }}", Verdict.UNFILLED, "contact.city is empty"),
        ("{{ 1 / (contact.city | default('') | length) }}", Verdict.FAILED, "ZeroDivisionError"),
    ],
)
async def test_a_mail_that_cannot_be_built_is_one_recipients_alone_and_nothing_is_sent(
    text: str, verdict: Verdict, gist: str
) -> None:
    transport = FakeTransport()
    answer = await (await post_of(transport, text)).deliver(claimed(1))
    assert (answer.verdict, transport.sent) == (verdict, [])
    assert gist in answer.reply


async def test_a_claim_s_time_limit_goes_to_the_mail_server_s_session() -> None:
    transport = FakeTransport()
    post = await post_of(transport)
    await post.deliver(replace(claimed(1), hand_over_by=12.5))
    assert transport.deadlines == [12.5]


async def test_a_template_is_read_once_for_a_whole_stage() -> None:
    post_office, templates = office(FakeTransport())
    for _ in range(3):
        await post_office.post("autumn@1", "marketing", follow_up=False)
    assert templates.asked == 1


async def test_an_unknown_account_is_refused_with_those_there_are() -> None:
    post_office, _ = office(FakeTransport())
    with pytest.raises(NotFound, match="marketing"):
        await post_office.post("autumn@1", "sales", follow_up=False)


async def test_a_dry_run_finds_the_empty_placeholder() -> None:
    post_office, _ = office(FakeTransport(), "{{ contact.city }}")
    check = await post_office.check("autumn@1", "marketing")
    check({"city": "Jena"})
    with pytest.raises(PlaceholderMissing, match=r"contact\.city"):
        check({"city": ""})


def test_a_message_id_can_be_traced_back_to_its_mail() -> None:
    post_office, _ = office(FakeTransport())
    message_id = post_office.message_id("marketing", 7, 2, 99)
    token, domain = message_id.strip("<>").split("@")
    ref = LINKS.read(LinkKind.MESSAGE, token)
    assert domain == "xn--mller-kva.example"
    assert ref is not None
    assert (ref.number, ref.stage, ref.seq) == (7, 2, 99)


async def test_closing_the_office_ends_its_connections() -> None:
    transport = FakeTransport()
    post_office, _ = office(transport)
    await post_office.post("autumn@1", "marketing", follow_up=False)
    await post_office.close()
    assert transport.closed


async def test_slices_that_begin_together_compile_a_template_once() -> None:
    post_office, templates = office(FakeTransport(Reply(Phase.DOT, 250, "ok")))
    await asyncio.gather(*(post_office.post("autumn@1", "marketing", follow_up=False) for _ in range(20)))
    assert templates.asked == 1
