"""Multipart uploads: read strictly, spooled to temporary files, turned into names and streams."""

from __future__ import annotations

from typing import BinaryIO

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.limits import Limits
from api.problems import Problem
from api.schemas import CollectionName

_FIELD_BYTES = 1024
_FIELDS = 8
_NAME: TypeAdapter[str] = TypeAdapter(CollectionName)


class _WholeParser(MultiPartParser):
    """Remembers whether the closing boundary came; without it the last file would be dropped silently."""

    whole = False

    def on_end(self) -> None:
        self.whole = True


async def read_upload(request: Request, limits: Limits) -> tuple[str, list[tuple[str, BinaryIO]]]:
    """Return the collection's name and the files of a multipart body.

    Raises Problem: 400 malformed or cut short, 413 too many files, 422 without files, with an unknown or repeated
    field, or with a file that has no name. Every temporary file is closed when it raises.
    """
    form = await _parse(request, limits)
    try:
        return _collection(form), _files(form)
    except Problem:
        await form.close()
        raise


async def _parse(request: Request, limits: Limits) -> FormData:
    parser = _WholeParser(
        request.headers,
        request.stream(),
        max_files=limits.upload_files,
        max_fields=_FIELDS,
        max_part_size=_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            detail = f"Send {limits.upload_files} files at most at once."
            raise Problem(413, "too_many_files", detail, field="files", limit=limits.upload_files) from error
        raise Problem(400, "malformed_body", f"The multipart body cannot be read: {error.message}") from error
    except (ValueError, LookupError) as error:  # a header that is no text, a charset that does not exist
        raise Problem(400, "malformed_body", "The multipart body cannot be read.") from error
    if not parser.whole:
        await form.close()
        raise Problem(400, "body_incomplete", "The multipart body ends before its closing boundary.")
    return form


def _collection(form: FormData) -> str:
    given = form.getlist("collection")
    if len(given) > 1:
        raise Problem(422, "repeated_field", "The field collection is given twice; give it once.", field="collection")
    try:
        return _NAME.validate_python(given[0] if given else "default")
    except ValidationError as error:
        detail = "collection: a name has 1 to 64 of the characters A-Z a-z 0-9 . _ -"
        raise Problem(422, "invalid_value", detail, field="collection") from error


def _files(form: FormData) -> list[tuple[str, BinaryIO]]:
    files: list[tuple[str, BinaryIO]] = []
    for field, value in form.multi_items():
        if field == "files" and isinstance(value, UploadFile):
            if not value.filename:
                raise Problem(422, "missing_field", "files: every file needs a file name.", field="files")
            files.append((value.filename, value.file))
        elif field != "collection":
            shown = field[:100]
            raise Problem(
                422, "unknown_field", f"{shown!r} is no field; send files and perhaps collection.", field=shown
            )
    if not files:
        raise Problem(422, "missing_field", "files: send at least one file under this name.", field="files")
    return files
