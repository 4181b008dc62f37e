"""Everybody is addressed rightly, and nobody's gender is guessed."""

import pytest

from serienmail.domain.salutation import salutation

CASES = [
    # language, salutation, title, first name, last name, company → salutation
    ("de", "Frau", "Prof. Dr.", "Marie-Louise", "Kensy", "Misicher GmbH", "Sehr geehrte Frau Prof. Dr. Kensy"),
    ("de", "Herr", "", "Aribert", "Hendriks", "", "Sehr geehrter Herr Hendriks"),
    ("de", "Frau", "", "Gabi", "Flantz", "", "Sehr geehrte Frau Flantz"),
    ("de", "Frau", "Dipl.-Ing.", "Gabi", "Flantz", "", "Sehr geehrte Frau Flantz"),
    ("de", "Herr", "MBA", "Jan", "Baum", "", "Sehr geehrter Herr Baum"),
    ("de", "Herr", "Dipl.-Kfm. Dr.", "Jan", "Baum", "", "Sehr geehrter Herr Dr. Baum"),
    ("de", "Herr", "Dr.-Ing.", "Jan", "Baum", "", "Sehr geehrter Herr Dr. Baum"),
    ("de", "Herr", "Dr. med. Dr. h.c.", "Jan", "Baum", "", "Sehr geehrter Herr Dr. Dr. Baum"),
    ("de", "Frau", "Prof.Dr.", "Ida", "Baum", "", "Sehr geehrte Frau Prof. Dr. Baum"),
    ("de", "Frau", "Professorin", "Ida", "Baum", "", "Sehr geehrte Frau Prof. Baum"),
    ("de", "Frau", "Drs.", "Ida", "Baum", "", "Sehr geehrte Frau Baum"),
    ("de", "Herrn", "", "Jan", "Baum", "", "Sehr geehrter Herr Baum"),
    ("de", "Hr.", "", "Jan", "Baum", "", "Sehr geehrter Herr Baum"),
    ("de", "Fr.", "", "Ida", "Baum", "", "Sehr geehrte Frau Baum"),
    ("de", "Frau Dr.", "", "Ida", "Baum", "", "Sehr geehrte Frau Dr. Baum"),
    ("de", "Mr", "", "Jan", "Baum", "", "Sehr geehrter Herr Baum"),
    ("de", "Mrs.", "", "Ida", "Baum", "", "Sehr geehrte Frau Baum"),
    ("de", "Frau", "", "Desiree", "von Baum", "", "Sehr geehrte Frau von Baum"),
    ("de", "Herr", "", "Janos", "von und zu Stein", "", "Sehr geehrter Herr von und zu Stein"),
    ("de", "Herr", "Dr. Freiherr von", "Karl", "Stein", "", "Sehr geehrter Herr Dr. Freiherr von Stein"),
    ("de", "Frau", "Gräfin", "Marion", "Dönhoff", "", "Sehr geehrte Frau Gräfin Dönhoff"),
    ("de", "Divers", "", "Auguste", "Weiß", "", "Guten Tag Auguste Weiß"),
    ("de", "Divers", "Dr.", "Auguste", "Weiß", "", "Guten Tag Dr. Auguste Weiß"),
    ("de", "", "", "Günther", "Vollbrecht", "", "Guten Tag Günther Vollbrecht"),
    ("de", "", "", "Otto", "Graf Lambsdorff", "", "Guten Tag Otto Graf Lambsdorff"),
    ("de", "", "Dr.", "", "Weiß", "", "Guten Tag Dr. Weiß"),
    ("de", "Herr und Frau", "", "Ida", "Baum", "", "Guten Tag Ida Baum"),
    ("de", "Frau", "", "Gabi", "", "", "Guten Tag Gabi"),
    ("de", "", "", "", "Weiß", "", "Sehr geehrte Damen und Herren"),
    ("de", "Herr", "", "", "", "Rohleder AG", "Sehr geehrte Damen und Herren"),
    ("de", "", "", "", "", "", "Sehr geehrte Damen und Herren"),
    ("de", "Firma", "", "", "Rohleder AG", "", "Sehr geehrte Damen und Herren"),
    ("de", "Herr", "", "", "Rohleder AG", "Rohleder AG", "Sehr geehrte Damen und Herren"),
    ("de", " frau ", "", " ", "  Baum ", "", "Sehr geehrte Frau Baum"),
    ("", "Frau", "", "Ida", "Baum", "", "Sehr geehrte Frau Baum"),
    ("fr", "Frau", "", "Ida", "Baum", "", "Sehr geehrte Frau Baum"),
    ("en", "Mr", "", "John", "Smith", "", "Dear Mr Smith"),
    ("en", "Herr", "", "Paolo", "Baum", "", "Dear Mr Baum"),
    ("en", "Frau", "", "Ida", "Baum", "", "Dear Ms Baum"),
    ("en", "Mrs.", "", "Ann", "Smith", "", "Dear Mrs Smith"),
    ("EN-gb", "Ms", "", "Ann", "Smith", "", "Dear Ms Smith"),
    ("English", "Frau", "Prof. Dr.", "Marie-Louise", "Kensy", "", "Dear Prof. Dr. Kensy"),
    ("en", "Mr", "MBA", "John", "Smith", "", "Dear Mr Smith"),
    ("en", "Herr", "", "Janos", "von Baum", "", "Dear Mr von Baum"),
    ("en", "Divers", "", "Robin", "Smith", "", "Hello Robin Smith"),
    ("en", "", "Dr", "Robin", "Smith", "", "Hello Dr. Robin Smith"),
    ("en", "", "", "", "", "Smith Ltd", "Dear Sir or Madam"),
]


@pytest.mark.parametrize(("language", "form", "title", "first", "last", "company", "expected"), CASES)
def test_the_salutation_follows_from_language_form_title_and_name(
    language: str, form: str, title: str, first: str, last: str, company: str, expected: str
) -> None:
    assert salutation(language, form, title, first, last, company) == expected
