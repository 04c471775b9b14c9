# SPDX-License-Identifier: Apache-2.0
"""Style, script, fonts and pictures: served from memory, small, and kept by browsers until their content changes."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.identity import open_to_all
from api.problems import NotFound

FOLDER = Path(__file__).resolve().parents[1] / "static"
A_YEAR = "public, max-age=31536000, immutable"
AN_HOUR = "public, max-age=3600"
_SQUEEZED = {".css", ".js", ".svg"}
_STAMP_LETTERS = 10
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    squeezed: bytes | None
    media_type: str
    stamp: str


@cache
def asset(name: str) -> Asset | None:
    """Return a file of the static folder, or None; nothing outside that folder is ever read."""
    path = (FOLDER / name).resolve()
    if not path.is_relative_to(FOLDER) or not path.is_file():
        return None
    body = path.read_bytes()
    media_type = guess_type(path.name)[0] or "application/octet-stream"
    squeezed = gzip.compress(body, mtime=0) if path.suffix in _SQUEEZED else None
    return Asset(body, squeezed, media_type, hashlib.sha256(body).hexdigest()[:_STAMP_LETTERS])


def address_of(name: str) -> str:
    """Return where a page finds a file; the address changes with the content, so browsers may keep it for ever."""
    found = asset(name)
    return f"/static/{name}?v={found.stamp}" if found else f"/static/{name}"


@router.get("/favicon.ico")
async def favicon(request: Request, _: Annotated[object, Depends(open_to_all)]) -> Response:
    """Send the picture that browsers ask for by this name, whatever page they show."""
    return await static_file(request, "icon.svg", _)


@router.get("/static/{name:path}")
async def static_file(request: Request, name: str, _: Annotated[object, Depends(open_to_all)]) -> Response:
    """Send a file of the static folder."""
    found = asset(name)
    if found is None:
        raise NotFound("There is no such file.")
    headers = {
        "Cache-Control": A_YEAR if request.query_params.get("v") == found.stamp else AN_HOUR,
        "ETag": f'"{found.stamp}"',
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if found.squeezed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.squeezed, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.media_type)
    return Response(found.body, headers=headers, media_type=found.media_type)
