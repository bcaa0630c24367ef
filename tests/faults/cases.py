"""What can happen to a run, and where: the faults of the suite, and the batches they happen to."""

from __future__ import annotations

import functools
import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import rasterio
from rasterio.transform import from_origin

from tests.faults.checker import Submitted
from tests.faults.lane import Lane
from tests.faults.proxy import DROP_AFTER, DROP_BEFORE, ERROR, HALF_CLOSE, PASS, Action, Call
from tests.faults.stores import LANDING

STORES = ("vault", "ledger", "compute")
AT_A_POINT = ("kill", "raise", "enospc", *(f"cut {store}" for store in STORES), "stop")
AT_A_CALL = {
    "kill": PASS,  # the child is dead, and the call goes through all the same
    "kill before": DROP_BEFORE,
    "stop": PASS,
    "drop before": DROP_BEFORE,
    "drop after": DROP_AFTER,
    "error": ERROR,
    "half a reply": HALF_CLOSE,
}
AT_THE_DISK = ("kill", "enospc", "stop")


@dataclass(frozen=True)
class Fault:
    """One harm at one place: the name of a point, a number from 1, a piece of a call's name,
    or kilobytes of room."""

    where: str
    """`point`, `call` (to a store), `disk` (a call to it) or `room` (on it)."""
    place: str | int
    what: str
    only: str = ""
    """The store whose calls are counted; empty: all calls."""

    def __str__(self) -> str:
        if self.where == "room":
            return f"a disk of {self.place} KB"
        name = self.place if self.where == "point" else f"{self.only or self.where} {self.place}"
        return f"{self.what} at {name}"


@dataclass(frozen=True)
class Case:
    """One batch and what happens to its first run."""

    group: str
    fault: Fault | None = None
    kind: str = "vectors"
    """Which files it has: `vectors` (two), `mixed` (a vector and a raster), `big`
    (the raster is uploaded in parts), `bad` (one of two
    cannot be read, so that the batch is rejected), or `withdrawn` (the user takes the manifest
    away after the first run, so that nobody tries again)."""
    bugs: tuple[str, ...] = ()
    patient: bool = False
    """True: wait as long as MongoDB does for a dead client's transaction, which is a minute."""

    def __str__(self) -> str:
        planted = f", with {' and '.join(self.bugs)}" if self.bugs else ""
        return f"{self.group}: {self.fault or 'no fault'} ({self.kind}){planted}"


@dataclass
class Trap:
    """A fault that is armed on a lane: waits for its place, and does its harm once."""

    fault: Fault | None
    lane: Lane
    pid: int
    fired: threading.Event = field(default_factory=threading.Event)
    _count: int = 0

    def arm(self) -> None:
        """Have the proxies ask, or take the room away."""
        if self.fault is not None and self.fault.where == "room":
            self.lane.limit_room(int(self.fault.place))
            self.fired.set()
        if self.fault is not None and self.fault.where == "call":
            for name, proxy in self.lane.proxies.items():
                if self.fault.only in ("", name):
                    proxy.plan = self._at_call

    def at_moment(self, moment: str, pid: int) -> str:
        """The child is at a point, or about to use the disk."""
        fault = self.fault
        if fault is None or self.fired.is_set():
            return ""
        if fault.where == "disk" and moment.startswith("disk "):
            self._count += 1
            if self._count == fault.place:
                return self._strike(fault.what, pid)
        if fault.where == "point" and moment == fault.place:
            return self._strike(fault.what, pid)
        return ""

    def _strike(self, what: str, pid: int) -> str:
        self.fired.set()
        if what.startswith("cut "):
            self.lane.proxies[what.removeprefix("cut ")].cut()
            return ""
        if what == "stop":
            # Stopped before it is told to go on: it stands exactly there.
            os.kill(pid, signal.SIGSTOP)
            return ""
        return what

    def _at_call(self, call: Call) -> Action:
        fault = self.fault
        assert fault is not None
        self._count += 1
        here = (
            fault.place in call.name
            if isinstance(fault.place, str)
            else (fault.place == self._count)
        )
        if not here or self.fired.is_set():
            return PASS
        self.fired.set()
        if fault.what.startswith("kill"):
            os.kill(self.pid, signal.SIGKILL)
        if fault.what == "stop":
            os.kill(self.pid, signal.SIGSTOP)
        return AT_A_CALL[fault.what]


def submit(lane: Lane, case: Case, name: str) -> Submitted:
    """Upload a small batch of two files, and its manifest, as the landing user."""
    made = _BATCHES[case.kind]()
    sources = {f"{name}/{file}": body for file, _, _, body, _ in made}
    for key, body in sources.items():
        lane.stores.put(key, body)
    files = [
        {"path": f"s3://{LANDING}/{name}/{file}", "type": kind, "format": form, "crs": "EPSG:4326"}
        for file, kind, form, _, _ in made
    ]
    manifest = {
        "batch_id": name,
        "uploader": "ana@example.org",
        "intent": "ingest_vector",
        "files": files,
        "metadata": {"project": name, "description": str(case)},
    }
    key = f"manifests/{name}.json"
    lane.stores.put(key, json.dumps(manifest).encode())
    values = {f"{name}/{file.partition('.')[0]}": values for file, _, _, _, values in made}
    return Submitted(key, sources, values, _OUTCOMES.get(case.kind, "committed"))


_OUTCOMES = {"bad": "rejected", "withdrawn": "failed"}

Made = tuple[str, str, str, bytes, list[int]]
"""A file's name, type, format, bytes and values."""


def _points(file: str, first: int) -> Made:
    values = [first, first + 1, first + 2]
    features = [
        {
            "type": "Feature",
            "properties": {"n": n},
            "geometry": {"type": "Point", "coordinates": [n / 10, 50]},
        }
        for n in values
    ]
    body = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    return file, "vector", "GeoJSON", body, values


@functools.cache
def _grid(name: str, size: int) -> Made:
    """A raster of noise, which no compression makes smaller."""
    pixels = np.random.default_rng(1).integers(0, 255, (size, size), "uint8")
    with rasterio.MemoryFile() as file:
        with file.open(
            driver="GTiff", width=size, height=size, count=1, dtype="uint8", crs="EPSG:4326",
            transform=from_origin(10, 50, 0.1 / size, 0.1 / size),
        ) as raster:  # fmt: skip
            raster.write(pixels, 1)
        body = file.read()
    return name, "raster", "GTiff", body, pixels.ravel().tolist()


_BATCHES: dict[str, Callable[[], list[Made]]] = {
    "vectors": lambda: [_points("a.geojson", 1), _points("b.geojson", 11)],
    "mixed": lambda: [_points("a.geojson", 1), _grid("grid.tif", 8)],
    "big": lambda: [_points("a.geojson", 1), _grid("big.tif", 4200)],
    "withdrawn": lambda: [_points("a.geojson", 1), _points("b.geojson", 11)],
    "bad": lambda: [
        _points("a.geojson", 1),
        ("b.geojson", "vector", "GeoJSON", b'{"type": "FeatureCollection", "features": [{', []),
    ],
}
