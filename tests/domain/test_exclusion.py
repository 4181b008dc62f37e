"""Every exclusion has a reason in words."""

from serienmail.domain.exclusion import Exclusion


def test_every_reason_has_words_of_its_own() -> None:
    words = [reason.words for reason in Exclusion]
    assert len(set(words)) == len(Exclusion)
    assert all(words)


def test_what_the_author_wanted_leaves_nothing_incomplete() -> None:
    wanted = {reason for reason in Exclusion if not reason.leaves_incomplete}
    assert wanted == {Exclusion.DUPLICATE, Exclusion.IGNORED, Exclusion.REPLIED, Exclusion.REMOVED_BY_HAND}
