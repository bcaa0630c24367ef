"""Which encoding a shapefile's text is in, when the shapefile does not say."""

from __future__ import annotations

import codecs
import struct
from pathlib import Path

_FALLBACK = "CP1252"
_SAYS_NOTHING = (0x00, 0x57)
"""Language ids of a .dbf that name no encoding: none, and `the machine's own`."""
_CHUNK_BYTES = 2**20


def shapefile_encoding(path: str) -> tuple[str | None, str]:
    """GDAL's name of the encoding, and a note where it is a guess; None: the file says it itself.

    Text that is valid UTF-8 throughout is hardly ever anything else; what is not is taken for
    Windows-1252, of which Latin-1 is a part.
    """
    shp = Path(path)
    siblings = {item.suffix.lower(): item for item in shp.parent.glob(f"{shp.stem}.*")}
    dbf = siblings.get(".dbf")
    if ".cpg" in siblings or dbf is None:
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
            return _FALLBACK, _note(dbf.name, "Windows-1252, since it is not UTF-8")
    return "UTF-8", "" if ascii_only else _note(dbf.name, "UTF-8, which it is throughout")


def _note(name: str, how: str) -> str:
    return f"No .cpg file says which encoding {name} is in: it was read as {how}."
