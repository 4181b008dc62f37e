"""The report's page says everything in German that it says in English."""

import re
from itertools import chain
from pathlib import Path

from serienmail.domain.activity import Kind
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.judging import Reason
from serienmail.domain.states import DeliveryState, MassMailState
from serienmail.domain.statistics import Number
from starter import summary
from starter.report_language import GERMAN_WORDS, Language

TEMPLATE = Path(summary.__file__).with_name("summary.html").read_text("utf-8")


def test_each_word_of_the_template_is_known_in_german() -> None:
    assert set(re.findall(r'say\("([^"]+)"\)', TEMPLATE)) <= GERMAN_WORDS.keys()


def test_nothing_stands_in_the_template_without_being_said_in_a_language() -> None:
    body = TEMPLATE.split("<body>")[1]
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|<[^>]*>", "", body)
    assert not re.findall(r"\w{2,}", text)


def test_each_code_on_the_page_is_known_in_german() -> None:
    codes = chain(Number, MassMailState, DeliveryState, Reason, Kind)
    words = {code.replace("_", " ") for code in codes} | {reason.words for reason in Exclusion}
    assert words <= GERMAN_WORDS.keys()


def test_what_a_server_said_stays_as_it_is() -> None:
    assert Language.GERMAN.say("550 5.1.1 no such user") == "550 5.1.1 no such user"


def test_numbers_are_written_as_the_language_has_them() -> None:
    german, english = Language.GERMAN, Language.ENGLISH
    assert (german.number(1234567), german.share(0.1234)) == ("1.234.567", "12,3 %")
    assert (english.number(1234567), english.share(0.1234)) == ("1,234,567", "12.3%")
