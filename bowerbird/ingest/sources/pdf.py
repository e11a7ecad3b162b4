"""PDF by pypdf, page by page. It does not know columns, tables or scanned images: those want an OCR or layout tool first."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from pathlib import Path

from bowerbird.errors import InvalidInput
from bowerbird.ingest.document import Document, Draft
from bowerbird.ingest.passages import DocumentFormat

__all__ = ["Pdf"]

_QUIET = logging.NullHandler()  # pypdf reports small faults by logging; without any handler Python would print them

_DAMAGED = (  # what pypdf lets through, beside errors of its own, when a file lies about its structure
    ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, RuntimeError, ArithmeticError,
    OSError, EOFError, zlib.error, struct.error,
)  # fmt: skip


class Pdf(DocumentFormat):
    """PDF. Every page is a section; no chunk crosses a page, so that each can be cited by its page."""

    suffixes = (".pdf",)

    def extract(self, path: Path, data: bytes) -> Document:
        """The text of all pages; encrypted, damaged and image-only files raise `InvalidInput`."""
        from pypdf import PdfReader
        from pypdf.errors import DependencyError, PyPdfError

        if b"%PDF-" not in data[:1024]:
            what = "is empty" if not data.strip() else "is no PDF (it does not begin with %PDF-)"
            raise InvalidInput(f"{str(path)!r} {what}. Give it the suffix of what it is, or leave it out (.bowerignore).")
        logging.getLogger("pypdf").addHandler(_QUIET)
        draft = Draft()
        pages = 0
        try:
            reader = PdfReader(io.BytesIO(data))
            if reader.is_encrypted and not reader.decrypt(""):
                raise InvalidInput(
                    f"{str(path)!r} is encrypted and wants a password. Save a copy without one (for example: qpdf --decrypt)."
                )
            for pages, page in enumerate(reader.pages, 1):
                draft.page(pages)
                for paragraph in _clean(page.extract_text()).split("\n\n"):
                    draft.paragraph(paragraph)
            described = reader.metadata
            draft.title = " ".join(_clean(described.title).split()) if described is not None and isinstance(described.title, str) else ""
        except DependencyError as error:
            raise InvalidInput(f"{str(path)!r} is encrypted with AES, which needs another package: pip install 'pypdf[crypto]'.") from error
        except NotImplementedError as error:
            raise InvalidInput(
                f"{str(path)!r} is encrypted in a way that cannot be read ({error}). Save a copy without encryption."
            ) from error
        except InvalidInput:
            raise
        except (PyPdfError, *_DAMAGED) as error:
            raise InvalidInput(
                f"{str(path)!r} is a damaged PDF ({type(error).__name__} at page {pages + 1}: {error}). "
                "Save it again (for example: qpdf in.pdf out.pdf)."
            ) from error
        document = draft.document()
        if not document.text:
            raise InvalidInput(
                f"{str(path)!r} has {pages} pages and no text: they are images. "
                "Run it through text recognition first (for example: ocrmypdf)."
            )
        return document


def _clean(text: str) -> str:
    """Without NUL characters; halves of surrogate pairs joined, lone ones replaced."""
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
