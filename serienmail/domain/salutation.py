"""The salutation of a personal mail, from language, salutation, title and name; it never guesses a gender.

1. Without a person's name: "Sehr geehrte Damen und Herren". A bare last name without a form of address counts as
   none, because "Guten Tag Weiß" is rude.
2. Herr or Frau with a last name: formal, with Prof. and Dr. and no other degree (DIN 5008).
3. Everybody else: neutral, with the full name.

English puts an academic title in place of Mr or Ms. Noble names are part of the last name; where a CRM keeps their
beginning in the title ("Dr. Freiherr von"), it goes back to the name.
"""

import re
from functools import lru_cache

_PROFESSOR_OR_DOCTOR = re.compile(r"\b(?:(prof(?:essor(?:in)?)?)|dr|doktor(?:in)?|doctor)\b\.?", re.IGNORECASE)
_OTHER_DEGREE = re.compile(r"\b(?:dipl|mag|ing|bsc|msc|mba)\b[\w.-]*", re.IGNORECASE)
_NOBLE = {
    "graf", "gräfin", "freiherr", "freifrau", "freiin", "baron", "baronin", "baronesse", "fürst", "fürstin", "prinz",
    "prinzessin", "ritter", "edler", "edle", "von", "vom", "zu", "zum", "zur", "van", "de", "der", "den",
}  # fmt: skip
_MALE, _FEMALE = ("geehrter Herr", "Mr"), ("geehrte Frau", "Ms")
_FORMS = {
    "herr": _MALE, "herrn": _MALE, "hr": _MALE, "mr": _MALE,
    "frau": _FEMALE, "fr": _FEMALE, "ms": _FEMALE, "mrs": ("geehrte Frau", "Mrs"), "miss": ("geehrte Frau", "Miss"),
}  # fmt: skip
_FIRMS = {"firma", "company"}


def salutation(language: str, salutation: str, title: str, first_name: str, last_name: str, company: str) -> str:
    """The first words of the mail, without a comma: "Sehr geehrte Frau Prof. Dr. Kensy". German unless English."""
    english = is_english(language)
    form = _form(salutation)
    academic = _academic(title) or _academic(salutation)
    first, last = _joined(first_name), _joined(_noble(title), last_name)
    if form in _FIRMS or _is_no_person(form in _FORMS or academic != "", first, last, company):
        return "Dear Sir or Madam" if english else "Sehr geehrte Damen und Herren"
    if form not in _FORMS or not last:
        return _joined("Hello" if english else "Guten Tag", academic, first, last)
    german_form, english_form = _FORMS[form]
    if english:
        return _joined("Dear", academic or english_form, last)
    return _joined("Sehr", german_form, academic, last)


def _is_no_person(addressable: bool, first: str, last: str, company: str) -> bool:
    if first:
        return False
    return not last or not addressable or last == _joined(company)  # firms are often entered as a last name


# A million contacts have a few languages, forms of address and titles between them.
@lru_cache(maxsize=1024)
def is_english(language: str) -> bool:
    """Whether a mail's own words are English for this language; else they are German."""
    return language.strip().casefold().startswith("en")


@lru_cache(maxsize=1024)
def _form(salutation: str) -> str:
    return _OTHER_DEGREE.sub("", _PROFESSOR_OR_DOCTOR.sub("", salutation)).strip(" .").casefold()


@lru_cache(maxsize=1024)
def _academic(text: str) -> str:
    return " ".join("Prof." if found[1] else "Dr." for found in _PROFESSOR_OR_DOCTOR.finditer(text))


@lru_cache(maxsize=1024)
def _noble(title: str) -> str:
    return " ".join(word for word in title.split() if word.casefold() in _NOBLE)


def _joined(*parts: str) -> str:
    return " ".join(" ".join(parts).split())
