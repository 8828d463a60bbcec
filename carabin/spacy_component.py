"""The spaCy and EDS-NLP component `carabin_ner`: a student's entities in a pipeline's documents.

    import spacy

    nlp = spacy.blank("fr")
    nlp.add_pipe("carabin_ner", config={"model": "/opt/students/bert-small"})
    doc = nlp("Douleur thoracique depuis deux heures.")
    [(span.text, span.label_, span._.carabin_score) for span in doc.ents]

spaCy's spans are made of tokens, a student's are not. A span that begins or ends inside a token is widened to it
(`alignment_mode`), and `span._.carabin_offsets` keeps the code points that the student found. Spans do not overlap: of
two that meet in a token, or with an entity that was there before, the surer or the earlier stays, and
`doc._.carabin_unaligned` lists what has no span.

`nlp.to_disk` writes the student into the pipeline's folder, so that it can be carried to another machine.
"""
# No `from __future__ import annotations` here: spaCy and EDS-NLP read the factory's annotations as types.

import multiprocessing
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carabin.annotator import Annotator
from carabin.calibration import above_thresholds
from carabin.documents import Document, Entity
from carabin.errors import CarabinError, ModelError
from carabin.student_folder import config_tags, find_student, read_config
from carabin.tokens.tagging import labels_of

try:
    from spacy.language import Language
    from spacy.pipeline import Pipe
    from spacy.tokens import Doc, Span
    from spacy.util import minibatch
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"package '{error.name}' is not installed; pip install 'carabin[spacy]'", name=error.name
    ) from None

ALIGNMENT_MODES = ("strict", "contract", "expand")


class ComponentError(CarabinError):
    """A component that is told what it cannot do; the message names the setting."""


@dataclass(frozen=True)
class Settings:
    """How the component works; a pipeline's config holds the same names."""

    model: str | None = None
    """A student's folder, or the name of a shipped one; None for the shipped default."""
    engine: str | None = None
    """As `Annotator.load` has it; None takes the INT8 file where there is one, else the fp32 one."""
    threads: int | None = None
    """Of the engine; None for all cores. With `nlp.pipe(n_process=…)`, 1 is right."""
    thresholds: Mapping[str, float] | None = None
    """Least score of an entity, by label; `*` stands for every label not named."""
    spans_key: str | None = None
    """Write `doc.spans[spans_key]`; None adds to `doc.ents`."""
    alignment_mode: str = "expand"
    """Of a span that is not whole tokens: `expand` widens it, `contract` narrows it, `strict` drops it."""

    def __post_init__(self) -> None:
        if self.alignment_mode not in ALIGNMENT_MODES:
            known = ", ".join(ALIGNMENT_MODES)
            raise ComponentError(f"alignment_mode '{self.alignment_mode}' is unknown; name one of {known}")


class CarabinNer(Pipe):
    """Adds a student's entities to documents."""

    def __init__(self, name: str = "carabin_ner", settings: Settings | None = None) -> None:
        """Keep the settings; the student is loaded for the first document.

        A saved pipeline is built before it is told where it lies, and a process that was forked cannot use the threads
        of another.
        """
        self.name = name
        self.settings = settings or Settings()
        self.folder: Path | None = None
        self._loaded: tuple[int, Annotator] | None = None
        _set_extensions()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what is set, not the session."""
        return _restore, (self.name, self.settings, self.folder)

    @property
    def student(self) -> Path:
        """The student's folder. Raises ModelError: there is none."""
        return self.folder or find_student(self.settings.model)

    @property
    def annotator(self) -> Annotator:
        """The student, loaded once a process. Raises ModelError: it cannot be run."""
        if self._loaded is None or self._loaded[0] != os.getpid():
            if multiprocessing.parent_process() is not None:
                # A fork leaves the tokenizer's threads behind, and it would wait for them for ever where the
                # environment asks for threads.
                os.environ["TOKENIZERS_PARALLELISM"] = "false"
            from carabin.annotate import check_thresholds

            annotator = Annotator.load(self.student, threads=self.settings.threads, engine=self.settings.engine)
            check_thresholds(self.settings.thresholds or {}, annotator.labels)
            self._loaded = os.getpid(), annotator
        return self._loaded[1]

    @property
    def labels(self) -> tuple[str, ...]:
        """What the student finds; nothing as long as it is not there: spaCy asks before `from_disk`."""
        try:
            return tuple(labels_of(config_tags(read_config(self.student), self.student)))
        except ModelError:
            return ()

    def __call__(self, doc: Doc) -> Doc:
        """Add the entities of one document."""
        return self.batch_process([doc])[0]

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Add the entities of a stream of documents, in batches; what fails goes to the error handler."""
        handle = self.get_error_handler()
        for docs in minibatch(stream, size=batch_size):
            batch = list(docs)
            try:
                answers: list[Document | Exception] = list(self._annotate(batch))
            except Exception:
                # One of them is the cause: alone, each shows whether it is the one.
                answers = [self._annotate_alone(doc) for doc in batch]
            for doc, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Exception):
                    handle(self.name, self, [doc], answer)
                else:
                    self._write(doc, answer.entities)
                    yield doc

    def batch_process(self, docs: Sequence[Doc]) -> list[Doc]:
        """Add the entities of some documents; EDS-NLP calls this."""
        for doc, answer in zip(docs, list(self._annotate(docs)), strict=True):
            self._write(doc, answer.entities)
        return list(docs)

    def _annotate(self, docs: Sequence[Doc]) -> Iterator[Document]:
        return self.annotator.annotate(Document(str(number), doc.text) for number, doc in enumerate(docs))

    def _annotate_alone(self, doc: Doc) -> Document | Exception:
        try:
            return next(self._annotate([doc]))
        except Exception as error:
            return error

    def _write(self, doc: Doc, found: Iterable[Entity]) -> None:
        """Give the document its spans, and say on it who found them and what has no span."""
        doc._.carabin_model = f"{self.annotator.model_id}@{self.annotator.model_version}"
        entities = above_thresholds(found, self.settings.thresholds or {})
        before = [] if self.settings.spans_key else list(doc.ents)
        taken = {token for span in before for token in range(span.start, span.end)}
        kept: list[Span] = []
        unaligned: list[Entity] = []
        for entity in sorted(entities, key=lambda entity: (-(entity.score or 0.0), entity.start)):
            mode = self.settings.alignment_mode
            span = doc.char_span(entity.start, entity.end, label=entity.label, alignment_mode=mode)
            if span is None or not taken.isdisjoint(range(span.start, span.end)):
                unaligned.append(entity)
                continue
            taken.update(range(span.start, span.end))
            span._.carabin_score = entity.score
            span._.carabin_offsets = (entity.start, entity.end)
            kept.append(span)
        doc._.carabin_unaligned = [entity.to_dict() for entity in sorted(unaligned, key=lambda entity: entity.start)]
        kept.sort(key=lambda span: span.start)
        if self.settings.spans_key:
            doc.spans[self.settings.spans_key] = kept
        else:
            doc.set_ents([*before, *kept])

    def to_disk(self, path: Path | str, *, exclude: Any = ()) -> dict[str, Any]:  # noqa: ANN401 - spaCy's and EDS-NLP's differ
        """Copy the student to `path/student`; nothing to add to the config, which is what EDS-NLP asks for."""
        target = Path(path).absolute() / "student"
        source = self.student.absolute()
        if source != target:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        return {}

    def from_disk(self, path: Path | str, *, exclude: Any = ()) -> "CarabinNer":  # noqa: ANN401 - likewise
        """Take the student from `path/student`. Raises ModelError: it is not there, or is none."""
        # EDS-NLP gives a path that is true only while it loads.
        self.folder = find_student(Path(path).absolute() / "student")
        self._loaded = None
        return self


@Language.factory("carabin_ner", default_config=vars(Settings()), assigns=["doc.ents", "doc.spans"])
def create_carabin_ner(
    nlp: Language,
    name: str,
    model: str | None,
    engine: str | None,
    threads: int | None,
    thresholds: dict[str, float] | None,
    spans_key: str | None,
    alignment_mode: str,
) -> CarabinNer:
    """Return the component; spaCy calls this for `nlp.add_pipe("carabin_ner", config={…})`."""
    return CarabinNer(name, Settings(model, engine, threads, thresholds, spans_key, alignment_mode))


def _restore(name: str, settings: Settings, folder: Path | None) -> CarabinNer:
    component = CarabinNer(name, settings)
    component.folder = folder
    return component


def _set_extensions() -> None:
    for kind, name, default in (
        (Span, "carabin_score", None),
        (Span, "carabin_offsets", None),
        (Doc, "carabin_model", None),
        (Doc, "carabin_unaligned", []),
    ):
        if not kind.has_extension(name):
            kind.set_extension(name, default=default)
