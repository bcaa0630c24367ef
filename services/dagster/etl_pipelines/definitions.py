"""The code location's one entry: `defs`, from the settings that hold here."""

from __future__ import annotations

from etl_pipelines.environment import load_environment
from etl_pipelines.factory import build_definitions, resources_from_environment
from etl_pipelines.logs import configure_process

limits = load_environment().etl
configure_process(limits.log_format)
defs = build_definitions(limits, resources_from_environment())
