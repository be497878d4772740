"""The page and its parts: read once at start, so that a request can name nothing else."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from api.problems import Problem

router = APIRouter(include_in_schema=False)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, as it is and compressed."""

    data: bytes
    packed: bytes
    media_type: str
    tag: str


def read_assets() -> Mapping[str, Asset]:
    """Return the page's files by their path below api/page/: HTML, scripts and styles, there and in vendor/."""
    folder = resources.files("api") / "page"
    found = {**_files(folder, ""), **_files(folder / "vendor", "vendor/")}
    read = {name: file.read_bytes() for name, file in found.items()}
    read["style.css"] = (resources.files("rag.evaluation") / "palette.css").read_bytes() + b"\n" + read["style.css"]
    return {name: _asset(name, data) for name, data in read.items()}


def _files(folder: Traversable, prefix: str) -> dict[str, Traversable]:
    if not folder.is_dir():
        return {}
    return {prefix + file.name: file for file in folder.iterdir() if file.is_file() and _suffix(file.name) in _TYPES}


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2]


def _asset(name: str, data: bytes) -> Asset:
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    return Asset(data, gzip.compress(data, mtime=0), _TYPES[_suffix(name)], tag)


@router.get("/")
async def page(request: Request) -> Response:
    """Serve the page."""
    return _serve(request, "index.html")


@router.get("/d/{id}")
async def document_page(request: Request) -> Response:
    """Serve the page, which opens the document that its address names."""
    return _serve(request, "index.html")


@router.get("/page/{path:path}")
async def page_part(request: Request, path: str) -> Response:
    """Serve one file of the page."""
    return _serve(request, path)


def _serve(request: Request, name: str) -> Response:
    asset: Asset | None = request.app.state.assets.get(name)
    if asset is None:
        raise Problem(404, "not_found", "The page has no such file.")
    headers = {"ETag": asset.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == asset.tag:
        return Response(status_code=304, headers=headers)
    packed = "gzip" in request.headers.get("accept-encoding", "")
    headers |= {"Content-Type": asset.media_type, **({"Content-Encoding": "gzip"} if packed else {})}
    return Response(asset.packed if packed else asset.data, headers=headers)
