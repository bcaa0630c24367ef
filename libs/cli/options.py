"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object to stdout, all else to stderr.")
]
StateOption = Annotated[
    Path, typer.Option("--state", metavar="FOLDER", help="The embedded stack's folder.")
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0, help="Seconds to wait for the end; then exit 7.")
]
AssetArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="An asset's id, PROJECT/DATASET (the newest), or PROJECT/DATASET@VERSION.",
    ),
]
DEFAULT_STATE = Path(".stack")
