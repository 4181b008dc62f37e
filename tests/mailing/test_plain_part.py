"""Plain parts: text and placeholders alone, with the result that Jinja2 gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.errors import PlaceholderMissing, TemplateFault
from serienmail.mailing.plain_part import PlainPart, plain_part
from serienmail.mailing.sandbox import HTML, TEXT, Sandbox
from serienmail.mailing.template import JinjaPart

NAMES = ("a", "b", "items")
PLACEHOLDERS = (
    "{{ contact.a }}", "{{ contact['b'] }}", "{{contact.items|default('<x> & y')}}", "{{ contact.b | d('') }}",
    "{{ salutation }}", "{{- unsubscribe_url -}}", "{% raw %}{{ x }}{% endraw %}", "{# note #}",
)  # fmt: skip
SOURCES = st.lists(st.sampled_from(PLACEHOLDERS) | st.text("ab <&'\"\n ü.", max_size=8), max_size=12).map("".join)
VALUES = st.none() | st.text(max_size=8) | st.text("<>&'\"") | st.integers() | st.booleans() | st.floats()
CONTACTS = st.dictionaries(st.sampled_from(NAMES), VALUES)


def plain(source: str, sandbox: Sandbox = TEXT) -> PlainPart | None:
    return plain_part(sandbox.read("text", source), html=sandbox is HTML)


def result(part: PlainPart | JinjaPart, contact: dict[str, object]) -> tuple[str, str]:
    try:
        variables = {"contact": contact, "salutation": "Guten <Tag>", "unsubscribe_url": "https://x/?a&b"}
        return "written", part.render(variables)
    except PlaceholderMissing as missing:
        return "missing", missing.placeholder


@pytest.mark.parametrize("sandbox", [TEXT, HTML], ids=["text", "html"])
@given(source=SOURCES, contact=CONTACTS)
def test_a_plain_part_says_what_jinja_says(sandbox: Sandbox, source: str, contact: dict[str, object]) -> None:
    part = plain(source, sandbox)
    assert part is not None
    by_jinja = JinjaPart("text", sandbox.compile_tree("text", sandbox.read("text", source)))
    assert result(part, contact) == result(by_jinja, contact)


@pytest.mark.parametrize(
    "source",
    [
        "{% if contact.a %}x{% endif %}",
        "{{ contact.a | upper }}",
        "{{ contact.a | default('x', true) }}",
        "{{ contact.a | default(contact.b) }}",
        "{{ contact.a | default('x') | default('y') }}",
        "{{ contact }}",
        "{{ contact._fields }}",
        "{{ contact[0] }}",
        "{{ contact.a.b }}",
        "{{ name }}",
        "{{ 'x' }}",
        "{% set a = 1 %}",
    ],
)
def test_whatever_else_is_in_it_is_left_to_jinja(source: str) -> None:
    assert plain(f"Guten Tag {source}") is None


def test_what_grows_too_long_is_refused() -> None:
    part = plain("{{ contact.a }}" * 200)
    assert part is not None
    with pytest.raises(TemplateFault, match="grows over"):
        result(part, {"a": "x" * 10_000})
