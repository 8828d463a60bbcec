"""What the tests of pseudonyms share: a student that finds what it is told, and notes with their identities marked."""

import re
from dataclasses import replace

from carabin.documents import Document, Entity
from carabin.pseudonyms.dates import find_dates
from carabin.pseudonyms.detection import Detection, Detector
from carabin.pseudonyms.keys import Secret
from carabin.pseudonyms.replacement import replace_spans
from carabin.pseudonyms.spans import LABELS, Span
from carabin.pseudonyms.surrogates import Scope, Surrogates

SECRET = Secret(b"k" * 32)
NOTE = (
    "[Hôpital Sainte-Orvane](HOPITAL), [Villebrac](VILLE)\r\n"
    "Patiente : [DUVALMONT](NOM) [Jeanne](PRENOM), née le [12/03/1949](DATE_NAISSANCE) 😀\n"
    "NIR [2 49 03 75 116 001 48](SECU), IPP : [8012345678](IPP), NDA : [241234567](NDA)\n"
    "[12 bis, rue des Lilas](ADRESSE), [75011](ZIP) [Parigny](VILLE), tél. [06 12 34 56 78](TEL)\n"
    "Mme [Duvalmont](NOM) va mieux depuis le [4 mars 2019](DATE). Fièvre à 38,5. "
    "Dr [P.](PRENOM) [Le Goëllec](NOM) ([pierre.legoellec@chu-parigny.fr](MAIL)), "
    "Dr [Pierre](PRENOM) [Le Goëllec](NOM)."
)


def read_marked(marked):
    """Return the text and the entities of a note written as `[surface](LABEL)`."""
    text, entities, at = "", [], 0
    for match in re.finditer(r"\[([^\]]*)\]\((\w+)\)", marked):
        text += marked[at : match.start()]
        entities.append(Entity(len(text), len(text) + len(match[1]), match[2]))
        text += match[1]
        at = match.end()
    return text + marked[at:], tuple(entities)


def gold(identifier="1", marked=NOTE, **attributes):
    """Return a document with its identities as gold."""
    text, entities = read_marked(marked)
    return Document(identifier, text, entities, attributes)


class KnowingStudent:
    """Finds what it was shown, whatever the text; breaks on what it is told to."""

    labels = LABELS
    model_id, model_version, engine_name = "knowing", "1", "int8"

    def __init__(self, documents=(), breaks_on=None):
        self.known = {document.text: document.entities for document in documents}
        self.breaks_on = breaks_on

    def annotate(self, documents):
        for document in documents:
            if self.breaks_on and self.breaks_on in document.text:
                raise RuntimeError(document.text)
            found = tuple(replace(entity, score=0.9) for entity in self.known.get(document.text, ()))
            yield replace(document, entities=found)


def detector(*documents, **options):
    return Detector(KnowingStudent(documents, **options))


def exactly(document):
    """Return a detection of a document's gold and nothing else."""
    spans = tuple(Span(entity.start, entity.end, entity.label) for entity in document.entities)
    return Detection(spans, tuple(find_dates(document.text)))


def surrogates(document, secret=SECRET, scope=None):
    """Return the document's surrogates of its gold, in order, and the new text."""
    detection = exactly(document)
    made = Surrogates(secret, scope or Scope(f"document {document.id}", True, -364), document.text, detection)
    text, done = replace_spans(document.text, detection.spans, made.replace)
    return [(item.span.label, item.original, item.surrogate) for item in done], text
