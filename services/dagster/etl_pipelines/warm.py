"""Imported by the process from which runs are forked: all that they need, once for all."""

from __future__ import annotations

import contextlib
import importlib

from libs.errors import SpatialEtlError
from libs.ingest.warm import import_all

importlib.import_module("dagster._grpc.server")
with contextlib.suppress(SpatialEtlError):  # the code server says it, where people look
    importlib.import_module("etl_pipelines.definitions")
import_all()  # at last, since it settles what all forks share
