"""What is wrong with an order, gathered, so that its author reads all of it at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from serienmail.domain.errors import ChecksFailed, InvalidOrder, NotFound, SerienmailError, TemplateFault


class Problems:
    """Refusals that were met so far."""

    def __init__(self) -> None:
        self._met: list[SerienmailError] = []

    def __len__(self) -> int:
        return len(self._met)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep a refusal, and go on behind the block."""
        try:
            yield
        except (InvalidOrder, NotFound, TemplateFault) as error:
            self._met.append(error)

    def refuse(self) -> None:
        """The refusal, if there is one; ChecksFailed with each sentence once, if there are several."""
        sentences = dict.fromkeys(sentence for error in self._met for sentence in str(error).splitlines())
        if len(sentences) > 1:
            raise ChecksFailed(list(sentences))
        if self._met:
            raise self._met[0]


@contextmanager
def all_at_once(gathered: Problems | None = None) -> Iterator[Problems]:
    """Refuse at the end of the block. gathered: by somebody outside, who will refuse."""
    problems = Problems() if gathered is None else gathered
    yield problems
    if gathered is None:
        problems.refuse()
