"""What the report's page says in each language; the template has the English words."""

from enum import StrEnum

from serienmail.domain.exclusion import Exclusion


class Language(StrEnum):
    """Of the report's page."""

    ENGLISH = "en"
    GERMAN = "de"

    def say(self, english: str) -> str:
        """These words, or this code; what nobody here wrote, such as a server's answer, stays as it is."""
        words = english.replace("_", " ") if english.isidentifier() else english
        return GERMAN_WORDS.get(words, words) if self is Language.GERMAN else words

    def number(self, count: int) -> str:
        """With its thousands apart."""
        return f"{count:,}".replace(",", "." if self is Language.GERMAN else ",")

    def share(self, share: float) -> str:
        """From 0 to 1, as a percentage."""
        return f"{100 * share:.1f} %".replace(".", ",") if self is Language.GERMAN else f"{share:.1%}"


_PAGE = {
    "report": "Bericht",
    "by": "von",
    "of": "von",
    "out of": "bezogen auf",
    "Mass mail": "Serien-E-Mail",
    "Follow-up 1": "Nachfass-E-Mail 1",
    "Follow-up 2": "Nachfass-E-Mail 2",
    "Follow-up 3": "Nachfass-E-Mail 3",
    "Shares": "Anteile",
    "(no name)": "(ohne Namen)",
    "Named of each kind, at most:": "Von jeder Art werden höchstens so viele genannt:",
    "Nobody yet.": "Noch niemand.",
    "Over time": "Im Verlauf",
    "highest column:": "höchste Säule:",
    "By provider": "Nach Anbieter",
    "all others": "alle anderen",
    "By domain": "Nach Domain",
    "(erased)": "(gelöscht)",
    "name": "Name",
    "The largest": "Die größten",
    "By link": "Nach Link",
    "link": "Link",
    "mails": "E-Mails",
    "clicks": "Klicks",
    "by machines": "von Programmen",
    "Machines": "Programme",
    "Mails whose pictures or links a program asked for; none of these are in the numbers above.": (
        "E-Mails, deren Bilder oder Links ein Programm abgerufen hat; in den Zahlen oben sind sie nicht enthalten."
    ),
    "known by": "erkannt an:",
    "method": "Art der Abfrage",
    "agent": "Angabe des Programms",
    "network": "Netz",
    "burst": "viele Links auf einmal",
    "company": "gleichzeitige Abfrage eines Programms",
    "Copies": "Kopien",
    "Created in the CRM": "Im CRM angelegt",
    "mass mail": "Serien-E-Mail",
    "reminder": "Erinnerung",
    "note": "Notiz",
    "task": "Aufgabe",
    "call": "Anruf",
}
_STATES = {
    "waiting for processing": "wartet auf Verarbeitung",
    "loading": "Empfänger werden geladen",
    "scheduled": "geplant",
    "sending": "wird gesendet",
    "waiting to continue": "wartet auf Fortsetzung",
    "following up": "Nachfassen läuft",
    "stopping": "wird angehalten",
    "stopped": "angehalten",
    "incomplete": "unvollständig",
    "incomplete with errors": "unvollständig, mit Fehlern",
    "finished": "abgeschlossen",
    "finished automatically": "automatisch abgeschlossen",
    "deleted": "gelöscht",
}
_NUMBERS_AND_STATES_OF_MAILS = {
    "selected": "ausgewählt",
    "excluded": "ausgeschlossen",
    "waiting": "ausstehend",
    "pending": "ausstehend",
    "handing over": "wird übergeben",
    "cancelled": "abgebrochen",
    "sent": "gesendet",
    "delivered": "zugestellt",
    "bounced": "zurückgekommen",
    "rejected": "abgewiesen",
    "rejected by their mail servers": "vom Mailserver abgewiesen",
    "failed": "fehlgeschlagen",
    "undelivered": "nicht zugestellt",
    "unknown": "ungewiss",
    "in doubt": "ungewiss",
    "in doubt: handed over, answer never seen": "ungewiss: übergeben, aber keine Antwort gesehen",
    "deferred": "aufgeschoben",
    "deferred, tried again later": "aufgeschoben, wird später wieder versucht",
    "measured": "gemessen",
    "not measured": "nicht gemessen",
    "opened": "geöffnet",
    "not opened": "nicht geöffnet",
    "clicked": "geklickt",
    "not clicked": "nicht geklickt",
    "unsubscribed": "abgemeldet",
    "complained": "als Spam gemeldet",
    "replied": "beantwortet",
}
_EXCLUSIONS = {
    Exclusion.REMOVED_BY_HAND: "von Hand entfernt",
    Exclusion.NO_ADDRESS: "keine E-Mail-Adresse",
    Exclusion.INVALID_ADDRESS: "ungültige E-Mail-Adresse",
    Exclusion.UNSUBSCRIBED: "abgemeldet",
    Exclusion.SUPPRESSED: "auf der Sperrliste",
    Exclusion.NO_OPT_IN: "keine Einwilligung in Serien-E-Mails",
    Exclusion.IGNORED: "durch Kriterien ausgenommen",
    Exclusion.REPLIED: "hat eine frühere E-Mail beantwortet",
    Exclusion.CONTACT_GONE: "Kontakt wurde gelöscht",
    Exclusion.ADDRESS_CHANGED: "Adresse hat sich geändert, seit die E-Mail ungewiss war",
    Exclusion.DUPLICATE: "Dublette einer schon enthaltenen Adresse",
    Exclusion.PLACEHOLDER_MISSING: "ein Platzhalter ist leer oder nicht verwendbar",
    Exclusion.OVER_LIMIT: "über der Höchstzahl einer Serien-E-Mail",
}
GERMAN_WORDS = {
    **_PAGE,
    **_STATES,
    **_NUMBERS_AND_STATES_OF_MAILS,
    **{reason.words: german for reason, german in _EXCLUSIONS.items()},
}
