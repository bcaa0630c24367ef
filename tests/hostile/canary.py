"""What hostile files name: a server that nobody may call, and files that nobody may read."""

from __future__ import annotations

import socketserver
import threading
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rasterio
from rasterio.transform import from_origin


class Canary:
    """A TCP server on loopback that counts everybody who connects."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        canary = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.settimeout(2)
                try:
                    first = self.request.recv(200)
                except OSError:
                    first = b""
                canary.calls.append(first)
                self.request.sendall(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}/canary"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Secret:
    """Files outside every work folder, each with the same token in it, in every likely format."""

    def __init__(self, folder: Path) -> None:
        self.token = f"CANARY{uuid.uuid4().hex}"
        self.folder = folder
        self.text = folder / "secret.txt"
        self.text.write_text(f"{self.token}\n" * 200)
        self.csv = folder / "secret.csv"
        self.csv.write_text(f"name,x,y\n{self.token},1,2\n")
        self.geojson = folder / "secret.geojson"
        self.geojson.write_text(
            '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"name":"'
            f'{self.token}"}},"geometry":{{"type":"Point","coordinates":[1,2]}}}}]}}'
        )
        self.tiff = folder / "secret.tif"
        pixels = np.frombuffer(self.token.encode() * 32, np.uint8)[: 32 * 32].reshape(32, 32)
        with rasterio.open(
            self.tiff, "w", driver="GTiff", count=1, height=32, width=32, dtype="uint8",
            crs="EPSG:32633", transform=from_origin(500_000, 5_000_000, 10, 10),
        ) as file:  # fmt: skip
            file.write(pixels, 1)

    def is_in(self, text: object) -> bool:
        """Whether the token, or a line that every /etc/passwd has, is in it."""
        said = text.decode("latin-1") if isinstance(text, bytes) else str(text)
        return self.token in said or "root:x:0:0" in said

    def is_in_asset(self, path: Path) -> bool:
        """Whether it is in an asset, whose bytes are compressed: so values and pixels are read."""
        if self.is_in(path.read_bytes()):
            return True
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            return self.is_in(table.schema) or any(self.is_in(_plain(c)) for c in table.columns)
        with rasterio.open(path) as file:
            return any(self.is_in(file.read(band).tobytes()) for band in file.indexes)


def _plain(column: pa.ChunkedArray) -> object:
    if pa.types.is_temporal(column.type):  # Python's own dates end with the year 9999
        return []
    return column.to_pylist()
