"""What Dagster's page says of its code server and its daemon; asks nothing itself.

The two texts are parts of a GraphQL query, the two functions read what comes back for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LOCATIONS = """workspaceOrError { __typename ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } }"""
DAEMONS = "instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }"


def load_faults(entries: Sequence[dict[str, Any]]) -> list[str] | None:
    """Why code could not be loaded, from the location entries; None: it is loading still."""
    if not entries or any(entry["loadStatus"] != "LOADED" for entry in entries):
        return None
    return [
        entry["locationOrLoadError"].get("message", "")
        for entry in entries
        if entry["locationOrLoadError"]["__typename"] != "RepositoryLocation"
    ]


def silent_daemons(statuses: Sequence[dict[str, Any]]) -> list[str]:
    """The types of the daemons that should beat and do not, from all daemon statuses."""
    return [one["daemonType"] for one in statuses if one["required"] and not one["healthy"]]
