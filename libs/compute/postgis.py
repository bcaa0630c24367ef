"""PostGIS as a transient engine: one object that holds the connections; the work is in modules."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psycopg import sql

from libs.compute import crs_register, eject, grids, load, schemas
from libs.compute.errors import ComputeConfigError, ComputeUnavailableError, translated
from libs.compute.session import Session, application_name
from libs.compute.table import LoadedTable
from libs.models import RunSchema
from libs.settings import ComputeSettings

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from libs.spatial_utils.roundness import Reach

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]  # what a column holds, only the statement knows

_VERSIONS = sql.SQL(
    "SELECT current_setting('server_version'), postgis_lib_version(), postgis_geos_version(),"
    " postgis_proj_version()"
)
_GEOMETRY_COLUMNS = sql.SQL(
    "SELECT column_name FROM information_schema.columns WHERE table_schema = {schema}"
    " AND table_name = {table} AND udt_name = 'geometry' ORDER BY ordinal_position"
)
_EXTENSION = sql.SQL("SELECT count(*) FROM pg_extension WHERE extname = 'postgis'")

_HELPERS = sql.SQL("SET LOCAL max_parallel_workers_per_gather = {}")


class PostGIS:
    """Connections to one PostGIS. Making it touches no network; the first use opens the pool.

    Every method raises the errors of `libs.compute.errors`.
    """

    def __init__(self, settings: ComputeSettings, *, workers: int = 2) -> None:
        self.session = Session(settings=settings, workers=workers)
        self._pool: ConnectionPool | None = None
        self._opening = threading.Lock()

    @classmethod
    def connect(cls, settings: ComputeSettings, *, workers: int = 2) -> PostGIS:
        """`workers`: how many cores one statement may use."""
        return cls(settings, workers=workers)

    def close(self) -> None:
        """Close the pool; a later use opens it again."""
        with self._opening:
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    def __enter__(self) -> PostGIS:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self) -> None:
        """Ask the server whether it can do the work.

        Raises:
            ComputeConfigError: wrong host or credentials, or the postgis extension is missing.
            ComputeUnavailableError: it does not answer now.
        """
        import psycopg

        with (
            translated("connecting"),
            psycopg.connect(**self.session.psycopg_parameters()) as connection,  # type: ignore[arg-type]
        ):
            row = connection.execute(_EXTENSION).fetchone()
        if row != (1,):
            settings = self.session.settings
            raise ComputeConfigError(
                f"The database {settings.database!r} at {settings.host}:{settings.port} "
                "(POSTGIS_DATABASE) has no postgis extension; run CREATE EXTENSION postgis in it."
            )

    @contextlib.contextmanager
    def connection(self, schema: RunSchema | None = None) -> Iterator[Connection]:
        """A connection within one transaction, committed when the block ends well.

        With `schema` the server shows it under the run's name, so that `drop_run_schemas` ends it.
        """
        with translated("the work"), self._open_pool().connection() as connection:
            if schema is not None:
                name = sql.Literal(application_name(schema))
                connection.execute(sql.SQL("SET LOCAL application_name = {}").format(name))
            yield connection

    def _open_pool(self) -> ConnectionPool:
        from psycopg_pool import ConnectionPool

        with self._opening:
            if self._pool is None:
                self.check()  # the pool itself would only retry in silence, and time out
                settings = self.session.settings
                pool = ConnectionPool(
                    kwargs=self.session.psycopg_parameters(),
                    min_size=0,
                    max_size=settings.pool_size,
                    timeout=settings.connect_timeout_s,
                    check=ConnectionPool.check_connection,
                    open=False,
                    name="compute",
                )
                pool.open()
                self._pool = pool
            return self._pool

    def execute_sql(
        self, statement: sql.SQL | sql.Composed, params: Sequence[object] = ()
    ) -> list[Row]:
        """Run one statement in its own transaction; returns its rows, if it has any."""
        with self.connection() as connection:
            cursor = connection.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def run_step(
        self,
        schema: RunSchema,
        statement: sql.SQL | sql.Composed,
        what: str = "a step",
        *,
        about: LoadedTable | None = None,
    ) -> list[Row]:
        """Run the statements of a recipe's step for a run, all or none; rows of the last one.

        `what` names the step in errors. `about`: the table from which those that it reads descend;
        a small one is not worth more than one core.
        """
        with self.connection(schema) as connection, translated(what):
            if about is not None:
                helpers = sql.Literal(self.session.for_table(about).helpers)
                connection.execute(_HELPERS.format(helpers))
            cursor = connection.execute(statement)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def create_schema(self, schema: RunSchema) -> None:
        """Make the schema, empty: what an earlier try of the same run left in it goes."""
        with self.connection(schema) as connection:
            schemas.create(connection, schema)

    def drop_schema(self, schema: RunSchema) -> None:
        """Drop one schema; one that is not there is fine."""
        with self.connection() as connection:
            schemas.drop(connection, schema.name)

    def drop_run_schemas(self, run_id: str) -> list[str]:
        """End what the server still does for a run and drop its schemas; returns their names."""
        with self.connection() as connection:
            schemas.terminate_backends(connection, run_id)
            return schemas.drop_run(connection, run_id)

    def run_schemas(self) -> list[str]:
        """The schemas of runs that exist now, for the auditor."""
        with self.connection() as connection:
            return schemas.names(connection)

    @contextlib.contextmanager
    def ephemeral_schema(self, schema: RunSchema) -> Iterator[str]:
        """A schema that exists inside the block and is dropped whatever happens there."""
        self.create_schema(schema)
        try:
            yield schema.name
        except BaseException:
            # The first error is the one to tell; the auditor finds a schema that stays behind.
            with contextlib.suppress(ComputeUnavailableError):
                self.drop_schema(schema)
            raise
        self.drop_schema(schema)

    def has_grid(self, name: str) -> bool:
        """Whether the server's PROJ has a grid of datum shifts, by the name of its file."""
        with self.connection() as connection:
            return grids.has_grid(connection, name)

    def geometry_columns(self, schema: RunSchema, table: str) -> list[str]:
        """The names of a table's columns of type geometry, in their order."""
        statement = _GEOMETRY_COLUMNS.format(
            schema=sql.Literal(schema.name), table=sql.Literal(table)
        )
        return [name for (name,) in self.execute_sql(statement)]

    def table_count(self, schema: RunSchema, table: str) -> int:
        """How many rows a table has."""
        statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema.name, table))
        [(count,)] = self.run_step(schema, statement, f"counting the rows of {table}")
        return int(count)

    def register_crs(self, code: str) -> int:
        """The SRID to use with ST_Transform for `AUTHORITY:CODE`; registers it when it is missing.

        Raises:
            InputError: the code cannot be had.
        """
        with self.connection() as connection:
            return crs_register.register(connection, code)

    def load_arrow(
        self,
        batches: Iterable[pa.RecordBatch],
        *,
        schema: RunSchema,
        geometry_index: int | None,
        table: str = load.RAW_TABLE,
        arrow_schema: pa.Schema | None = None,
        round_within: Reach | None = None,
    ) -> LoadedTable:
        """Fill a new table of the run's schema from an Arrow stream; see `libs.compute.load`."""
        return load.load_arrow(
            self,
            batches,
            schema=schema,
            geometry_index=geometry_index,
            table=table,
            arrow_schema=arrow_schema,
            round_within=round_within,
        )

    def stream_table(
        self,
        schema: RunSchema,
        table: str,
        loaded: LoadedTable,
        *,
        order_by_hilbert: bool = True,
    ) -> eject.TableStream:
        """Read a table that descends from `loaded` as an Arrow stream; see `libs.compute.eject`."""
        return eject.stream_table(self, schema, table, loaded, by_hilbert=order_by_hilbert)

    def versions(self) -> dict[str, str]:
        """What does the work: PostgreSQL, PostGIS, GEOS and PROJ."""
        names = ("PostgreSQL", "PostGIS", "GEOS", "PROJ")
        [row] = self.execute_sql(_VERSIONS)
        return {name: str(value).split()[0] for name, value in zip(names, row, strict=True)}
