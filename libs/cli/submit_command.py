"""`submit`: local files into the landing bucket, with a manifest made of the files themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from libs.cli.options import JsonOption, TimeoutOption

DEFAULT_TIMEOUT_S = 600.0


def submit(  # noqa: PLR0913, PLR0917  each parameter is one option of the command
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="A shapefile by its .shp: the rest comes with it."),
    ],
    intent: Annotated[
        str, typer.Option(help="What is to be done: a recipe's name (`spatial-etl recipes`).")
    ],
    project: Annotated[str, typer.Option(help="The datasets become PROJECT/DATASET.")],
    dataset: Annotated[
        str | None, typer.Option(help="The dataset's name. Default: the file's stem.")
    ] = None,
    crs: Annotated[
        str | None, typer.Option(help="EPSG:32633, say: for files that do not name theirs.")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Which layer or variable, where a file has several.")
    ] = None,
    driver: Annotated[
        str | None, typer.Option("--format", help="GDAL's short name, where the name misleads.")
    ] = None,
    description: Annotated[str, typer.Option(help="For people; becomes the ISO abstract.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A keyword; may be repeated.")] = None,
    uploader: Annotated[
        str | None, typer.Option(help="Who answers for the data. Default: your login name.")
    ] = None,
    batch_id: Annotated[
        str | None,
        typer.Option(
            help="Default: made of the files' contents, so that the same command is the same batch."
        ),
    ] = None,
    on_error: Annotated[
        Literal["reject_batch", "skip_file"], typer.Option(help="What one bad file does.")
    ] = "reject_batch",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow the stages to the end.")
    ] = True,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Upload files and commit them as one batch.

    The files are sent as the landing user, below BATCH_ID/ in the landing bucket, and the manifest
    last. With --wait (the default) the exit code says how it ended: 0 committed, 4 rejected for the
    data's sake, 5 the platform failed, 7 not ended in time.
    """
    from libs.cli.manifest_maker import Words
    from libs.cli.source_files import Wishes
    from libs.cli.submit_work import login_name, run_submit
    from libs.cli.terminal import Terminal

    words = Words(
        project=project,
        intent=intent,
        uploader=uploader or login_name(),
        description=description,
        tags=tuple(tag or ()),
        dataset=dataset,
        batch_id=batch_id,
        on_error=on_error,
    )
    wishes = Wishes(crs=crs, layer=layer, format=driver)
    run_submit(Terminal(as_json=as_json), files, words, wishes, timeout if wait else None)
