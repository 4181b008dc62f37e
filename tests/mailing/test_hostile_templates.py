"""Whatever a template says, a process with little memory and little time gets through it, or refuses it."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000, 2_000_000_000))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from serienmail.domain.errors import TemplateFault
from serienmail.domain.template import Template
from serienmail.mailing.markup import html_from_text, sanitised, text_from_html, with_inline_styles
from serienmail.mailing.template import check_placeholders, compile_template

source = eval(sys.argv[1])
def mail(text):
    template = Template("x", "x", text=text, html=text)
    check_placeholders(template, ["name"])
    return compile_template(template).render({"name": "x" * 1_000}, salutation="Hallo", unsubscribe_url="u")

for step in (mail, sanitised, with_inline_styles, text_from_html, html_from_text):
    try:
        step(source)
    except TemplateFault:
        pass
print("through")
"""


@pytest.mark.parametrize(
    "source",
    [
        "\"{{ 'x' | center(10**9) }}\"",
        "\"{{ 'a' * 10_000_000_000 }}\"",
        "\"{% for a in range(10**12) %}{% endfor %}\"",
        "\"{% for a in 'abcdefghij' %}\" * 12 + \"{% endfor %}\" * 12",
        "\"{% macro a() %}{{ a() }}{{ a() }}{% endmacro %}{{ a() }}\"",
        "\"{% include 'x' %}\"",
        "\"{% set a = contact.name %}\" + \"{% set a = a ~ a %}\" * 60 + \"{{ a }}\"",
        "\"{{ \" + \"[\" * 50_000 + \"]\" * 50_000 + \" }}\"",
        "\"{{ contact.name | replace('x', 'x' * 999) | replace('x', 'x' * 999) }}\"",
        "\"{{\" * 200_000",
        "\"{%\" * 200_000",
        "\"<!--\" * 200_000",
        "\"<style \" * 100_000",
        "\"<div>\" * 100_000",
        "\"<\" * 500_000",
        "\"<style>\" + \"p {color: red}\" * 20_000 + \"</style>\" + \"<p>x</p>\" * 200",
        "\"x\" * 5_000_000",
    ],
)
def test_it_ends_in_time_and_in_memory(source: str) -> None:
    program = [sys.executable, "-c", PROGRAM, source]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "through\n"), ended.stderr[-500:]
