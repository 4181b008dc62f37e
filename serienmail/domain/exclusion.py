"""Why somebody gets no mail: a code for programs, words for people, an order of precedence."""

from enum import StrEnum


class Exclusion(StrEnum):
    """The reason of an excluded delivery. Members stand in their order of precedence: the first that applies counts."""

    REMOVED_BY_HAND = "removed_by_hand"
    NO_ADDRESS = "no_address"
    INVALID_ADDRESS = "invalid_address"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    NO_OPT_IN = "no_opt_in"
    IGNORED = "ignored"
    REPLIED = "replied"
    CONTACT_GONE = "contact_gone"
    ADDRESS_CHANGED = "address_changed"
    DUPLICATE = "duplicate"
    PLACEHOLDER_MISSING = "placeholder_missing"
    OVER_LIMIT = "over_limit"

    @property
    def words(self) -> str:
        """The reason as operators read it."""
        return _WORDS[self]

    @property
    def leaves_incomplete(self) -> bool:
        """Whether a mass mail that excluded somebody for this reason ends as ``incomplete``.

        Duplicates, criteria and removal by hand are what its author wanted (product.md, States).
        """
        return self not in (Exclusion.DUPLICATE, Exclusion.IGNORED, Exclusion.REPLIED, Exclusion.REMOVED_BY_HAND)


_WORDS = {
    Exclusion.REMOVED_BY_HAND: "removed by hand",
    Exclusion.NO_ADDRESS: "no mail address",
    Exclusion.INVALID_ADDRESS: "invalid mail address",
    Exclusion.UNSUBSCRIBED: "unsubscribed",
    Exclusion.SUPPRESSED: "on the suppression list",
    Exclusion.NO_OPT_IN: "no opt-in for mass mail",
    Exclusion.IGNORED: "ignored by criteria",
    Exclusion.REPLIED: "has answered an earlier mail",
    Exclusion.CONTACT_GONE: "contact was deleted",
    Exclusion.ADDRESS_CHANGED: "the address has changed since the mail was in doubt",
    Exclusion.DUPLICATE: "duplicate of an address that is already in",
    Exclusion.PLACEHOLDER_MISSING: "a placeholder is empty or can't be used",
    Exclusion.OVER_LIMIT: "over the limit of a mass mail",
}
