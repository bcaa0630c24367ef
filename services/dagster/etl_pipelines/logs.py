"""Dagster's logs in the form of ours: the console of each run, and the processes around it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from dagster import Field, InitLoggerContext, logger
from dagster._core.log_manager import LOG_RECORD_METADATA_ATTR
from dagster._utils.log import create_console_logger

from libs.logs import JsonLines, LogFormat, configure
from libs.settings import Settings

CONSOLE = "console"
RUN_LOGGERS: dict[str, dict[str, object]] = {CONSOLE: {}}
"""For the configuration of every run that we request; without it Dagster takes its own console."""
_OF_DAGSTER = ("dagster", "dagster-webserver", "dagit")
_NAMES = {"run_id": "run_id", "job_name": "job", "step_key": "step"}


class DagsterJsonLines(JsonLines):
    """Dagster's records hold what they are about themselves."""

    def message_of(self, record: logging.LogRecord) -> str:
        """Without the names that Dagster puts before it: they are fields of their own."""
        return str(_meta(record).get("orig_message") or super().message_of(record))

    def more_of(self, record: logging.LogRecord) -> Mapping[str, object]:
        """Run, job, step, and the kind of event."""
        meta = _meta(record)
        event = meta.get("dagster_event")
        kind = {"event": event.event_type_value} if event is not None else {}
        names = {ours: meta[theirs] for theirs, ours in _NAMES.items() if meta.get(theirs)}
        return {**super().more_of(record), **names, **kind}


def _meta(record: logging.LogRecord) -> Mapping[str, object]:
    return getattr(record, LOG_RECORD_METADATA_ATTR, None) or {}


@logger(
    config_schema={"log_level": Field(str, default_value="DEBUG", description="from this on")},
    description="The log of a run, as ETL_LOG_FORMAT says: text, or one JSON object a line.",
)
def console_logger(context: InitLoggerContext) -> logging.Logger:
    """What a run and its ops say, on standard error."""
    level = str(context.logger_config["log_level"])
    if Settings().etl.log_format == "text":
        return create_console_logger("dagster", level)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(DagsterJsonLines())
    console = logging.Logger("dagster", level)
    console.addHandler(handler)
    return console


def configure_process(form: LogFormat) -> None:
    """The logs of this process, Dagster's included; said again, it changes nothing."""
    configure(form)
    if form == "json":
        for name in _OF_DAGSTER:
            logging.getLogger(name).handlers.clear()
