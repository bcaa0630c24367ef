"""The compute engine as a Dagster resource."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from dagster import ConfigurableResource
from psycopg import sql
from pydantic import PrivateAttr, SecretStr

from libs.compute import PostGIS
from libs.models import RunSchema
from libs.settings import ComputeSettings, Settings


class PostGISResource(ConfigurableResource):
    """A transient engine with a connection pool. The rest comes from `POSTGIS_*` settings."""

    host: str
    port: int
    user: str
    password: str
    database: str

    _engine: PostGIS | None = PrivateAttr(default=None)

    def settings(self) -> ComputeSettings:
        """The full settings, defaults included."""
        return ComputeSettings(
            host=self.host,
            port=self.port,
            user=self.user,
            password=SecretStr(self.password),
            database=self.database,
        )

    def engine(self) -> PostGIS:
        """The engine with its pool, made once; it reaches the server when it is first used."""
        if self._engine is None:
            self._engine = PostGIS.connect(self.settings(), workers=Settings().etl.workers)
        return self._engine

    def ephemeral_schema(self, schema: RunSchema) -> AbstractContextManager[str]:
        """A schema that is dropped whatever happens inside; gives its name."""
        return self.engine().ephemeral_schema(schema)

    def execute_sql(
        self, statement: sql.Composable, params: Sequence[object] = ()
    ) -> list[tuple[object, ...]]:
        """Run one composed statement and give its rows."""
        return self.engine().execute_sql(statement, params)
