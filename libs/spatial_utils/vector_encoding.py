"""Which encoding a shapefile's text is in, when the shapefile does not say."""

from __future__ import annotations

import codecs
import re
import struct
from pathlib import Path

_FALLBACK = "CP1252"
_SAYS_NOTHING = (0x00, 0x57)
"""Language ids of a .dbf that name no encoding: none, and `the machine's own`."""
_SPOKEN = re.compile(rb"(?:ANSI|OEM)[ _-]?(\d{3,5})", re.IGNORECASE)
_CHUNK_BYTES = 2**20


def shapefile_encoding(path: str) -> tuple[str | None, str]:
    """GDAL's name of the encoding, and a note where it is a guess; None: the file says it itself.

    Text that is valid UTF-8 throughout is hardly ever anything else; what is not is taken for
    Windows-1252, of which Latin-1 is a part.
    """
    shp = Path(path)
    siblings = {item.suffix.lower(): item for item in shp.parent.glob(f"{shp.stem}.*")}
    dbf = siblings.get(".dbf")
    odd = _unknown_code_page(siblings.get(".cpg"))
    if spoken := _spoken_code_page(siblings.get(".cpg")):
        return spoken, ""
    if (".cpg" in siblings and not odd) or dbf is None:
        return None, ""
    with dbf.open("rb") as file:
        head = file.read(32)
        if len(head) < 32 or head[29] not in _SAYS_NOTHING:
            return None, ""
        (header_bytes,) = struct.unpack("<H", head[8:10])
        fields = file.read(max(0, header_bytes - 32))
        names = b"".join(fields[at : at + 11] for at in range(0, len(fields) - 11, 32))
        decoder = codecs.getincrementaldecoder("utf-8")()
        ascii_only = names.isascii()
        try:
            names.decode("utf-8")
            while chunk := file.read(_CHUNK_BYTES):
                ascii_only = ascii_only and chunk.isascii()
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _FALLBACK, odd + _note(dbf.name, "Windows-1252, since it is not UTF-8")
    if ascii_only:
        return "UTF-8", odd.strip()
    return "UTF-8", odd + _note(dbf.name, "UTF-8, which it is throughout")


def _spoken_code_page(cpg: Path | None) -> str | None:
    """GDAL's name for `ANSI 1252` or `OEM 850`, which some programs write and GDAL refuses."""
    named = _SPOKEN.fullmatch(cpg.read_bytes()[:100].strip()) if cpg is not None else None
    return f"CP{named[1].decode()}" if named else None


def _unknown_code_page(cpg: Path | None) -> str:
    """A sentence on a .cpg that names no encoding; those with numbers are left to GDAL."""
    if cpg is None:
        return ""
    named = cpg.read_bytes()[:100].decode("latin-1").strip()
    if any(letter.isdigit() for letter in named):
        return ""
    try:
        codecs.lookup(named)
    except (LookupError, ValueError):
        return f"The .cpg file names no known encoding: {named!r}. "
    return ""


def _note(name: str, how: str) -> str:
    return f"No .cpg file says which encoding {name} is in: it was read as {how}."
