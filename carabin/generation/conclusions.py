"""How a student concludes: in words of its own, or by sentences and lines that the report has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carabin.documents import Document
from carabin.exercises.units import Unit, find_units
from carabin.generation.faithfulness import unsupported
from carabin.generation.known_numbers import SourceNumbers
from carabin.generation.limits import Generated, Limits
from carabin.generation.quoted_conclusion import join_quotes, quote_windows
from carabin.generation.tasks import CONCLUSION

if TYPE_CHECKING:
    from carabin.generation.writer import Writer

REPEATED = 6
"""A conclusion never writes the same run of so many tokens twice."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A conclusion as a student wrote it.

    Attributes:
        document: The report.
        text: The conclusion; of a long report, the distinct sentences of its windows'. Empty where the report holds
            nothing that could be quoted.
        windows: How many windows the report was read in.
        unsupported: What the conclusion claims and the report does not say: numbers, doses, drugs, negations. Of
            quotes, what reads otherwise alone than where it stands: what is denied on the line above.
        finished: No window's text was cut by the limit of length.
        quotes: Of a student that quotes, where each line of the text stands in the report, as (start, end) in code
            points; None of one that writes in words of its own.
    """

    document: Document
    text: str
    windows: int
    unsupported: tuple[str, ...]
    finished: bool
    quotes: tuple[Unit, ...] | None = None


def write_freely(writer: Writer, documents: Sequence[Document], batch: int, beams: int) -> Iterator[Summary]:
    """Yield conclusions in the student's own words, numbers of the report's alone."""
    windows = [writer.sources_of(CONCLUSION, one.text) for one in documents]
    limits = Limits(writer.settings.max_written, beams=beams, no_repeat_ngram=REPEATED)
    sources = [one for many in windows for one in many]
    numbers = [SourceNumbers.of_text(one.text, writer.plain, writer.digits) for one in sources]
    written = writer.write(sources, limits, batch, states=[one.begin() for one in numbers])
    for document, many in zip(documents, windows, strict=True):
        texts = [next(written) for _ in many]
        yield _summary(writer, document, join_distinct([writer.decode(one.tokens) for one in texts]), texts)


def quote(writer: Writer, documents: Sequence[Document], batch: int, beams: int) -> Iterator[Summary]:
    """Yield conclusions made of sentences and lines of the report, word for word."""
    windows = [writer.sources_of(CONCLUSION, one.text) for one in documents]
    # No run of tokens is barred for its repetition: no unit is quoted twice, and each is quoted whole.
    limits = Limits(writer.settings.max_written, beams=beams)
    bound = [
        quote_windows(many, document.text, writer.tokenizer, limits.max_tokens, writer.special.end)
        for document, many in zip(documents, windows, strict=True)
    ]
    states = [one.begin() for many in bound for one in many]
    written = writer.write([one for many in windows for one in many], limits, batch, states=states)
    for document, many in zip(documents, bound, strict=True):
        texts = [next(written) for _ in many]
        read = (one.read(text.tokens) for one, text in zip(many, texts, strict=True))
        quotes = tuple(quote for some in read for quote in some)
        yield _summary(writer, document, join_quotes(document.text, quotes), texts, quotes)


def _summary(
    writer: Writer, document: Document, text: str, written: Sequence[Generated], quotes: tuple[Unit, ...] | None = None
) -> Summary:
    claims = unsupported(text, document.text, writer.drugs)
    if quotes is not None:
        # The numbers and drugs of a whole sentence are the report's own; what it affirms, the line above may deny.
        claims = [claim for claim in claims if claim.kind == "negation"]
    surfaces = tuple(dict.fromkeys(claim.surface for claim in claims))
    return Summary(document, text, len(written), surfaces, all(one.finished for one in written), quotes)


def join_distinct(texts: Sequence[str]) -> str:
    """Return texts in a row, without the sentences that stood in one before: windows of one report say things twice."""
    if len(texts) == 1:
        return texts[0]
    return " ".join(dict.fromkeys(text[start:end] for text in texts for start, end in find_units(text)))
