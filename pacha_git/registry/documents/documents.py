"""Shows and changes the card of a model and the datasheet of a dataset; a change is an attestation, so records stay.

It knows whose document it is and which is newest; what one should say is the schema's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pacha_git.errors import NotFound, PachaError
from pacha_git.format.documents.document import Document
from pacha_git.format.documents.kinds import check_document
from pacha_git.format.documents.problem import place
from pacha_git.format.event import Statement
from pacha_git.format.kinds import KINDS
from pacha_git.ledger import statements
from pacha_git.registry.reading.view import words_of
from pacha_git.registry.versions.attest import attest
from pacha_git.session.resolve import resolve
from pacha_git.session.results import DocumentDetail, DocumentProblem, VersionInfo
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.events import newest_document
from pacha_git.vocabulary.kinds import Kind

_STATEMENTS: Final[dict[Kind, Callable[[str], Statement]]] = {
    Kind.MODEL: statements.card,
    Kind.DATASET: statements.datasheet,
}


def read_document(session: Session, spec: str, *, kind: Kind, version: str | None = None) -> DocumentDetail:
    """Return the newest document of a version, checked.

    Raises:
        InvalidInput: the kind has none.
        NotFound: no such version.
    """
    found, commit = resolve(session, spec, kind=kind, version=version)
    stored = records.read(session.repo, commit)
    text, source = newest_document(session.repo, stored)
    key = KINDS[kind].json_document_key
    if text is None:
        return DocumentDetail(kind, found.name, str(found.version), key, None, None)
    document = check_document(kind, text.encode("utf-8", "replace"))
    word = words_of(session, stored).get(key)
    return DocumentDetail(
        kind=kind,
        name=found.name,
        version=str(found.version),
        key=key,
        text=text,
        source=source,
        metadata=document.json_metadata,
        missing=document.missing,
        problems=tuple(DocumentProblem(p.line, p.column, p.key, p.message) for p in document.problems),
        by=word.by if word is not None else None,
        signed_by=word.signed_by if word is not None else None,
    )


def set_document(
    session: Session,
    spec: str,
    text: str,
    *,
    kind: Kind,
    version: str | None = None,
    what: str = "the document",
    sign: bool | None = None,
) -> VersionInfo:
    """Put another document in place of the one that holds.

    Args:
        session: The registry.
        spec: Of which version.
        text: The document.
        kind: model or dataset.
        version: What stood after ``-v``.
        what: Where the text is from, for messages.
        sign: Sign the attestation.

    Raises:
        InvalidInput: the kind has no document.
        PachaError: its front matter can't be read; each problem with its line and column.
    """
    require_sound(check_document(kind, text.encode("utf-8", "surrogatepass")), what)
    return attest(session, spec, [_STATEMENTS[kind](text)], kind=kind, version=version, signed=sign)


def require_sound(document: Document, what: str) -> None:
    """Refuse a document that can't be read.

    Raises:
        PachaError: naming every problem.
    """
    if document.problems:
        said = "; ".join(place(what, problem) for problem in document.problems)
        raise PachaError(said, hint=f"mend it, then: git pacha hook run pacha-card {what}")


def read_document_file(path: Path) -> str:
    """Return the text of a file that is to be a document.

    Raises:
        NotFound, PachaError: it can't be read, or is no UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}", hint="to begin one: card SPEC --skeleton") from None
    except UnicodeDecodeError as error:
        raise PachaError(f"{path} is not UTF-8 at byte {error.start}", hint="save it as UTF-8") from None
    except OSError as error:
        raise PachaError(f"can't read {path}: {error.strerror}", hint="name a file of Markdown") from None
