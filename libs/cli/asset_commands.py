"""`assets`, `asset`, `lineage`, `get`: what is in the lake and where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from libs.cli.options import AssetArgument, JsonOption


def assets(
    project: Annotated[str | None, typer.Option(help="Only datasets of this project.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """List the newest version of each dataset."""
    from libs.cli.queries import Registry
    from libs.cli.terminal import Terminal
    from libs.cli.view import asset_list
    from libs.settings import Settings

    with Registry.connect(Settings()) as registry:
        found = registry.assets(project, limit)
    Terminal(as_json=as_json).result(found, asset_list(found))


def asset(identity: AssetArgument, as_json: JsonOption = False) -> None:
    """Show one asset.

    Its hashes, extent, columns or bands, and its other versions.
    """
    from libs.cli.queries import Registry
    from libs.cli.terminal import Terminal
    from libs.cli.view import asset_report
    from libs.settings import Settings

    with Registry.connect(Settings()) as registry:
        report = registry.asset(identity)
    Terminal(as_json=as_json).result(report, asset_report(report))


def lineage(identity: AssetArgument, as_json: JsonOption = False) -> None:
    """Show where an asset came from.

    The sources with their hashes, the steps with what each changed, the tools.
    """
    from libs.cli.queries import Registry
    from libs.cli.terminal import Terminal
    from libs.cli.view_lineage import lineage as lineage_view
    from libs.settings import Settings

    with Registry.connect(Settings()) as registry:
        report = registry.lineage(identity)
    Terminal(as_json=as_json).result(report, lineage_view(report))


def get(
    identity: AssetArgument,
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="A file to write, or a folder to put it in.")
    ] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite TARGET.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Download an asset and check its hash.

    Exit 5, and nothing is kept, when it does not match.
    """
    from libs.cli.download import download
    from libs.cli.terminal import Terminal
    from libs.settings import Settings

    report = download(Settings(), identity, target, overwrite=force)
    words = f"{report.path}: sha256 {report.asset.content_hash}, as committed"
    Terminal(as_json=as_json).result(report, words)
