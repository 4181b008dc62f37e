"""HTML becomes text and text HTML, styles go where mail programs look for them, and placeholders survive it all."""

from collections.abc import Callable

import pytest

from serienmail.domain.errors import TemplateFault
from serienmail.mailing.markup import html_from_text, sanitised, text_from_html, with_inline_styles

LOOP = '<table>{% for row in contact.rows %}<tr><td class="a">{{ row }}</td></tr>{% endfor %}</table>'


def test_text_is_made_of_html_with_its_placeholders_and_links() -> None:
    html = "<h1>{{ salutation }},</h1><p>ab {{ contact.price if contact.price < 3 else '–' }} € &amp; mehr</p>"
    html += '<p><a href="{{ unsubscribe_url }}">Abmelden</a></p>'
    assert text_from_html(html).split("\n") == [
        "{{ salutation }},", "", "ab {{ contact.price if contact.price < 3 else '–' }} € & mehr", "",
        "[Abmelden]({{ unsubscribe_url }})", "",
    ]  # fmt: skip


def test_text_is_wrapped_as_html_and_stays_literal() -> None:
    html = html_from_text('{{ salutation }},\n\n1 < 2 & {{ contact.x | default("-") }}\nEnde\n')
    assert '<p>{{ salutation }},</p>\n<p>1 &lt; 2 &amp; {{ contact.x | default("-") }}<br>\nEnde</p>\n' in html


def test_styles_are_inlined_and_media_queries_stay() -> None:
    page = "<html><head><style>.a{color:red} @media (max-width:600px){.a{color:blue}}</style></head>"
    inlined = with_inline_styles(f"{page}<body>{LOOP}</body></html>")
    assert '<td class="a" style="color: red;">{{ row }}</td>' in inlined
    assert "@media (max-width:600px)" in inlined


def test_a_loop_between_table_rows_stays_there() -> None:
    inlined = with_inline_styles(f"<style>td{{color:red}}</style>{LOOP}")
    assert inlined.index("<table>") < inlined.index("{% for") < inlined.index("<tr>")
    assert inlined.index("</tr>") < inlined.index("{% endfor %}") < inlined.index("</table>")


def test_a_page_without_a_style_sheet_is_left_alone() -> None:
    assert with_inline_styles("<P>as   it is") == "<P>as   it is"


def test_a_foreign_page_keeps_what_mail_needs() -> None:
    page = f"<style>td {{ padding: 4px }}</style>{LOOP}"
    page += '<p style="color: red" align="center"><a href="https://a.example/{{ contact.key }}">x</a></p>'
    kept = sanitised(page + '<img src="cid:logo" width="20">')
    assert '<td class="a" style="padding: 4px;">{{ row }}</td>' in kept
    assert '<p style="color: red" align="center"><a href="https://a.example/{{ contact.key }}">x</a></p>' in kept
    assert '<img src="cid:logo" width="20">' in kept
    assert kept.index("<table>") < kept.index("{% for") < kept.index("<tr>")


def test_a_foreign_page_loses_what_could_harm() -> None:
    page = '<script>steal()</script><img src="x.png" onerror="steal()"><a href="javascript:steal()">x</a>'
    page += '<!--[if mso]><object></object><![endif]--><form action="/"><input></form><iframe src="/"></iframe>'
    page += '<p style="width: expression(steal())">y</p><title>z</title><link rel="stylesheet" href="http://x.example">'
    kept = sanitised(page)
    for harm in ("script", "steal", "<!--", "<form", "<input", "iframe", "expression", "title", "link"):
        assert harm not in kept
    assert '<img src="x.png">' in kept


@pytest.mark.parametrize("change", [sanitised, with_inline_styles, text_from_html])
@pytest.mark.parametrize("start", ["<div>", "<b>", "<table><tr><td>"])
def test_tags_within_each_other_without_end_are_refused(change: Callable[[str], str], start: str) -> None:
    with pytest.raises(TemplateFault, match="more than 500 tags within each other"):
        change("<style>p {color: red}</style>" + start * 20_000)


def test_what_the_next_of_its_kind_ends_is_not_within_it() -> None:
    assert sanitised("<p>x<br>" * 2_000).count("<p>") == 2_000


def test_a_foreign_page_can_not_print_what_nobody_has_cleaned() -> None:
    for unescaped in ("{{ '<script>' | safe }}", "{% autoescape false %}{{ contact.x }}{% endautoescape %}"):
        with pytest.raises(TemplateFault, match="take them out"):
            sanitised(unescaped)
    assert sanitised("<b>{{ contact.safe }} serienmail7placeholder</b>") == (
        "<b>{{ contact.safe }} serienmail7placeholder</b>"
    )
