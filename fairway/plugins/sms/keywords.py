"""Words by which people opt out of texts, opt in again, and ask for help."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

__all__ = ["HELP", "START", "STOP", "WORDS", "Keywords"]

STOP, START, HELP = "stop", "start", "help"

WORDS: Mapping[str, Sequence[str]] = {
    STOP: ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT"),
    START: ("START", "YES", "UNSTOP"),
    HELP: ("HELP", "INFO"),
}
"""What carriers in North America agree on."""


class Keywords:
    """Finds a keyword in a text that is nothing but one.

    Args:
        given: words that replace those of `WORDS`, by keyword.

    Where two keywords share a word, `stop` wins over `start`, and that over `help`.
    """

    def __init__(self, given: Mapping[str, Sequence[str]] = WORDS) -> None:
        self._keywords: dict[str, str] = {}
        for keyword in (HELP, START, STOP):
            for word in given.get(keyword, WORDS[keyword]):
                self._keywords[_bare(word)] = keyword
        self._keywords.pop("", None)

    def find(self, text: str) -> str:
        """Return the keyword that a text is, case and punctuation aside, or ""."""
        return self._keywords.get(_bare(text), "")


def _bare(text: str) -> str:
    """Return the letters, digits and inner spaces of a text, folded."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(
        character
        for character in unicodedata.normalize("NFKC", folded)
        if character.isspace() or unicodedata.category(character)[0] in "LMN"
    )
    return " ".join(kept.split())
