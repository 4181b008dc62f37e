"""Which links of a template are measured, and that nothing else in it changes."""

from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.builder import MailBuilder
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.measured_links import MOST_LINKS, targets, with_variables
from serienmail.mailing.template import compile_template
from tests.fakes import claimed

SHOP = "https://shop.example/?a=1&b=2"


def html(source: str) -> Template:
    return Template("autumn", "x", html=source)


def text(source: str) -> Template:
    return Template("autumn", "x", text=source)


def test_links_of_html_are_found_with_their_entities_read_and_each_once() -> None:
    source = """<p><a href="https://shop.example/?a=1&amp;b=2">Shop</a> <A class='x' HREF='http://b.example'>b</A>
    <map><area shape="rect" href="https://shop.example/?a=1&amp;b=2"></map>"""
    assert targets(html(source)) == (SHOP, "http://b.example")


def test_links_of_a_text_end_before_the_sentence_does() -> None:
    source = f"Look at {SHOP}, or <https://b.example/x_(y)>. (https://c.example/!)"
    assert targets(text(source)) == (SHOP, "https://b.example/x_(y", "https://c.example/")


@pytest.mark.parametrize(
    "source",
    [
        '<a href="{{ unsubscribe_url }}">no more</a>',
        '<a href="https://shop.example/{{ contact.key }}">placeholder inside</a>',
        '<a href="{{ contact.page }}">placeholder</a>',
        '<a href="mailto:anna@example.org">mail</a> <a href="tel:+49">call</a> <a href="/x">x</a>',
        '<a href="https://">no host</a> <a href="https://[::1/">broken</a> <a href="javascript:alert(1)">no</a>',
        '<link href="https://fonts.example/a.css"><base href="https://b.example"><img src="https://i.example/a.png">',
        '<a data-href="https://shop.example/">another attribute</a>',
        '{% raw %}<a href="https://shop.example/">as it is</a>{% endraw %}{# <a href="https://shop.example/"> #}',
        """{{ '<a href="https://shop.example/">' }}{{ contact.x | default('<a href="https://shop.example/">') }}""",
    ],
)
def test_what_is_no_plain_link_to_the_web_stays(source: str) -> None:
    assert targets(html(source)) == ()


@pytest.mark.parametrize("after", ["{{ contact.key }}", "{% if contact.x %}a{% endif %}"])
def test_a_link_in_a_text_that_goes_on_in_a_placeholder_stays(after: str) -> None:
    assert targets(text(f"https://shop.example/{after} https://b.example")) == ("https://b.example",)


def test_the_variables_stand_where_the_targets_stood_and_nowhere_else() -> None:
    source = f'<p>{SHOP} <a class="b" href="{SHOP}">{{{{ contact.x }}}}</a></p>\n\n'
    changed = with_variables(html(source), {SHOP: 7})
    assert changed.html == f'<p>{SHOP} <a class="b" href="{{{{ link_url_7 }}}}">{{{{ contact.x }}}}</a></p>\n\n'


def test_a_body_has_no_more_measured_links_than_a_mail_can_need() -> None:
    source = " ".join(f"https://shop.example/{number}" for number in range(MOST_LINKS + 5))
    changed = with_variables(text(source), {url: number for number, url in enumerate(targets(text(source)))})
    assert changed.text.count("link_url_") == MOST_LINKS


PIECES = [
    '<a href="https://a.example/?x=1&amp;y=2">', "https://b.example/.", "{{ contact.x }}", "{% if contact.x %}",
    "{% endif %}", "{# https://c.example #}", "{% raw %}", "{% endraw %}", " \n", "\n", "</a>", '"', "<",
    "{{ salutation }}", "{%- if contact.x -%}",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join), st.booleans())
def test_with_their_own_targets_filled_in_every_template_says_the_same(source: str, as_html: bool) -> None:
    template = html(source) if as_html else text(source)
    try:
        plain = compile_template(template)
    except Exception:
        return  # no template at all
    ids = {url: number for number, url in enumerate(targets(template))}
    measured = compile_template(with_variables(template, ids))
    variables = {"contact": {"x": "y"}, "salutation": "Hi", "unsubscribe_url": "u"}
    filled = variables | {f"link_url_{number}": url for url, number in ids.items()}
    assert measured.html.render(filled) == plain.html.render(variables)
    assert measured.text.render(filled) == plain.text.render(variables)


@pytest.mark.parametrize("tracked", [True, False])
def test_only_who_agreed_gets_links_of_ours_and_the_pixel(tracked: bool) -> None:
    links = Links("https://mail.example.com", b"k" * 32)
    template = Template("autumn", "x", text=f"Shop: {SHOP}", html='<a href="https://shop.example/?a=1&amp;b=2">Shop</a>')
    account = Account(host="localhost", from_address="mailing@example.com")
    builder = MailBuilder(template, account, links, follow_up=False, measured_links={SHOP: 7})
    message = message_from_bytes(builder.build(replace(claimed(5), tracked=tracked)).data, policy=policy.default)
    ours = links.link_url(MailRef(1, 0, 5), 7)
    for kind, original in (("plain", SHOP), ("html", SHOP.replace("&", "&amp;"))):
        part = message.get_body((kind,))
        assert part is not None
        assert (ours in part.get_content(), original in part.get_content()) == (tracked, not tracked)
        assert links.unsubscribe_url(MailRef(1, 0, 5)) in part.get_content()
