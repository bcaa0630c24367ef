"""The code location's one entry: `defs`, from the settings that hold here."""

from __future__ import annotations

from etl_pipelines.environment import load_environment
from etl_pipelines.factory import build_definitions, resources_from_environment

defs = build_definitions(load_environment().etl, resources_from_environment())
