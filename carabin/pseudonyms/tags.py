"""Tags in the place of identities: `<NOM_1>`, the same one for the same value."""

from __future__ import annotations

from carabin.pseudonyms.keys import Secret
from carabin.pseudonyms.lexicon import folded
from carabin.pseudonyms.spans import Span
from carabin.pseudonyms.surrogates import Scope


class Tags:
    """The tags of one document.

    Within a document they are numbered in the order they are met. Over a patient or a corpus nothing counts, since
    documents come in any order: the number is drawn, `<NOM_5f0c2a91>`.
    """

    def __init__(self, secret: Secret, scope: Scope, text: str) -> None:
        self.secret = secret
        self.scope = scope
        self.text = text
        self.unread_dates = 0
        self._numbers: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def replace(self, span: Span) -> str:
        """Return the span's tag."""
        surface = self.text[span.start : span.end]
        key = (span.label, folded(surface) or surface)
        if key not in self._numbers:
            if self.scope.single_document:
                self._counts[span.label] = self._counts.get(span.label, 0) + 1
                self._numbers[key] = str(self._counts[span.label])
            else:
                self._numbers[key] = f"{self.secret.draw(16**8, self.scope.name, 'tag', *key):08x}"
        return f"<{span.label}_{self._numbers[key]}>"
