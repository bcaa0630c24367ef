"""Connections, schemas, CRS codes and errors, against a real server."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyproj
import pytest
import shapely
from psycopg import sql
from pydantic import SecretStr
from pyproj.enums import PJType

from libs.compute import (
    ComputeConfigError,
    ComputeError,
    ComputeUnavailableError,
    PostGIS,
    StatementTimeoutError,
)
from libs.errors import ConfigError, InputError, TransientError
from libs.models import RunSchema
from libs.settings import ComputeSettings

pytestmark = pytest.mark.integration

SECRET = "an unmistakable s3cret/@:%"


def fresh() -> RunSchema:
    return RunSchema(run_id=str(uuid.uuid4()))


def changed(settings, **changes: object) -> ComputeSettings:
    return settings.compute.model_copy(update=changes)


def test_a_good_server_passes_the_check_and_names_its_tools(compute: PostGIS) -> None:
    compute.check()
    versions = compute.versions()
    assert list(versions) == ["PostgreSQL", "PostGIS", "GEOS", "PROJ"]
    assert all(text[0].isdigit() for text in versions.values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": SecretStr(SECRET)}, "authentication failed"),
        ({"user": "no_such_user"}, "authentication failed"),
        ({"database": "no_such_database"}, "does not exist"),
        ({"host": "no-such-host.invalid"}, "Name or service not known"),
    ],
)
def test_wrong_settings_are_one_clear_sentence(settings, changes: dict, words: str) -> None:
    broken = PostGIS.connect(changed(settings, **changes))
    for use in (broken.check, broken.versions):
        with pytest.raises(ConfigError, match=words) as caught:
            use()
        assert "\n" not in str(caught.value)
        assert SECRET not in str(caught.value)


def test_no_error_of_either_driver_shows_the_password(settings) -> None:
    broken = PostGIS.connect(changed(settings, password=SecretStr(SECRET)))
    with pytest.raises(ComputeConfigError) as by_arrow:
        broken.session.adbc_connect(fresh())
    with pytest.raises(ComputeConfigError) as by_sql:
        broken.execute_sql(sql.SQL("SELECT 1"))
    for caught in (by_arrow, by_sql):
        chain, error = [], caught.value
        while error is not None:
            chain.append(repr(error) + str(error))
            error = error.__cause__
        assert SECRET not in "".join(chain)
    assert SECRET not in repr(broken.session)


def test_a_password_of_any_characters_signs_in_with_both_drivers(
    compute: PostGIS, settings
) -> None:
    """A role that may do nothing else is enough; where we may not make one, nothing is tested."""
    [(may_create,)] = compute.execute_sql(
        sql.SQL("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    )
    if not may_create:
        pytest.skip("the settings' user may not create roles")
    role = f"test_{uuid.uuid4().hex[:8]}"
    create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
    compute.execute_sql(create.format(sql.Identifier(role), sql.Literal(SECRET)))
    try:
        other = PostGIS.connect(changed(settings, user=role, password=SecretStr(SECRET)))
        other.check()
        other.session.adbc_connect(fresh()).close()
    finally:
        compute.execute_sql(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_a_server_that_does_not_answer_is_transient(settings) -> None:
    silent = PostGIS.connect(changed(settings, port=1))
    with pytest.raises(TransientError, match="not available"):
        silent.check()
    with pytest.raises(ComputeUnavailableError):
        silent.execute_sql(sql.SQL("SELECT 1"))


def test_a_database_without_postgis_says_what_to_run(settings) -> None:
    bare = PostGIS.connect(changed(settings, database="postgres"))
    with pytest.raises(ComputeConfigError, match=r"CREATE EXTENSION postgis|permission denied"):
        bare.check()


def test_a_statement_past_its_time_names_the_setting(settings) -> None:
    with (
        PostGIS.connect(changed(settings, statement_timeout_s=1)) as hasty,
        pytest.raises(StatementTimeoutError, match="POSTGIS_STATEMENT_TIMEOUT_S"),
    ):
        hasty.execute_sql(sql.SQL("SELECT pg_sleep(30)"))


def test_a_stream_past_its_time_is_cut_and_names_the_setting(settings) -> None:
    points = [shapely.Point(number, 1).wkb for number in range(3)]
    with PostGIS.connect(changed(settings, statement_timeout_s=1)) as hasty:
        schema = fresh()
        with hasty.ephemeral_schema(schema) as name:
            loaded = hasty.load_arrow(
                pa.table({"geom": points}).to_reader(), schema=schema, geometry_index=0
            )
            slow = sql.SQL("CREATE VIEW {0}.slow AS SELECT t.* FROM {0}.{1} t, pg_sleep(30)")
            hasty.execute_sql(slow.format(sql.Identifier(name), sql.Identifier(loaded.table)))
            begun = time.monotonic()
            with (
                pytest.raises(StatementTimeoutError, match="POSTGIS_STATEMENT_TIMEOUT_S"),
                hasty.stream_table(schema, "slow", loaded) as stream,
            ):
                list(stream)
            assert time.monotonic() - begun < 10


def test_a_faulty_statement_is_the_platforms_fault_with_its_sqlstate(compute: PostGIS) -> None:
    with pytest.raises(ComputeError, match="42P01"):
        compute.run_step(fresh(), sql.SQL("SELECT * FROM nowhere"), "the step simplify")


def test_a_connection_that_breaks_is_transient_and_the_next_use_works(compute: PostGIS) -> None:
    with pytest.raises(ComputeUnavailableError):
        compute.execute_sql(sql.SQL("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert compute.execute_sql(sql.SQL("SELECT 1 + {}").format(1)) == [(2,)]


def test_parameters_travel_apart_from_the_statement(compute: PostGIS) -> None:
    odd = "'; DROP TABLE x; --"
    assert compute.execute_sql(sql.SQL("SELECT %s::text"), (odd,)) == [(odd,)]


def test_an_ephemeral_schema_is_gone_whatever_happens(compute: PostGIS) -> None:
    schema = fresh()

    def fail_inside() -> None:
        with compute.ephemeral_schema(schema) as name:
            assert name in compute.run_schemas()
            compute.run_step(
                schema, sql.SQL("CREATE TABLE {} (n int)").format(sql.Identifier(name, "t"))
            )
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_inside()
    assert schema.name not in compute.run_schemas()


@pytest.mark.parametrize(("vertices", "helpers"), [(10, 0), (200_000, 2)], ids=["few", "many"])
def test_another_core_helps_where_there_is_much_to_do(
    settings, vertices: int, helpers: int
) -> None:
    """The size counts in bytes: a few large geometries are as much work as many small ones."""
    schema = fresh()
    line = shapely.to_wkb(shapely.LineString([(n, n % 7) for n in range(vertices)]))
    table = pa.table({"geom": pa.array([line], pa.binary()), "helpers": [""]})
    plan = sql.SQL("EXPLAIN (FORMAT JSON, ANALYZE) SELECT ST_Length(geom) FROM {}")
    with (
        PostGIS.connect(settings.compute, workers=3) as compute,
        compute.ephemeral_schema(schema),
    ):
        loaded = compute.load_arrow(table.to_reader(), schema=schema, geometry_index=0)
        statement = plan.format(sql.Identifier(schema.name, loaded.table))
        assert loaded.size_bytes == pytest.approx(16 * vertices, abs=100)
        [(explained,)] = compute.run_step(schema, statement, about=loaded)
        assert explained[0]["Plan"].get("Workers Planned", 0) == helpers
        [(explained,)] = compute.run_step(schema, statement)
        assert explained[0]["Plan"]["Workers Planned"] == 2, "only what is about that table"
        shown = sql.SQL(
            "CREATE VIEW {} AS SELECT rid, geom,"
            " current_setting('max_parallel_workers_per_gather') AS c0 FROM {}"
        )
        view = sql.Identifier(schema.name, "shown")
        compute.run_step(
            schema, shown.format(view, sql.Identifier(schema.name, loaded.table)), about=loaded
        )
        with compute.stream_table(schema, "shown", loaded) as stream:
            assert [row["helpers"] for batch in stream for row in batch.to_pylist()] == [
                str(helpers)
            ]


def test_making_a_schema_again_empties_it(compute: PostGIS) -> None:
    schema = fresh()
    table = sql.SQL("CREATE TABLE {} (n int)").format(sql.Identifier(schema.name, "t"))
    try:
        for _ in range(2):
            compute.create_schema(schema)
            compute.run_step(schema, table)
    finally:
        compute.drop_schema(schema)
        compute.drop_schema(schema)  # again is fine


def test_dropping_a_run_ends_its_work_and_leaves_other_runs_alone(compute: PostGIS) -> None:
    mine, other = fresh(), fresh()
    second = mine.model_copy(update={"file_index": 1})
    failures: list[BaseException] = []

    def work() -> None:
        lock = sql.SQL("CREATE TABLE {} AS SELECT pg_sleep(60)::text AS n")
        try:
            compute.run_step(mine, lock.format(sql.Identifier(mine.name, "t")))
        except ComputeUnavailableError as error:
            failures.append(error)

    for schema in (mine, second, other):
        compute.create_schema(schema)
    worker = threading.Thread(target=work)
    worker.start()
    try:
        _wait_for_backend(compute, mine)
        started = time.monotonic()
        assert compute.drop_run_schemas(mine.run_id) == [mine.name, second.name]
        worker.join(timeout=10)
        assert failures, "the statement of the dropped run should have been ended"
        assert time.monotonic() - started < 10
        assert other.name in compute.run_schemas()
        assert compute.drop_run_schemas(mine.run_id) == []
    finally:
        compute.drop_schema(other)
        worker.join(timeout=60)


def _wait_for_backend(compute: PostGIS, schema: RunSchema) -> None:
    digits = schema.run_id.replace("-", "")
    look = sql.SQL("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE {}")
    for _ in range(100):
        if compute.execute_sql(look.format(sql.Literal(f"%{digits}"))) != [(0,)]:
            return
        time.sleep(0.05)
    raise AssertionError("the work never began")


def test_a_load_shows_under_its_runs_name_and_ends_with_it(compute: PostGIS) -> None:
    schema = fresh()

    def endless():
        point = bytes.fromhex("0101000000000000000000f03f0000000000000040")
        batch = pa.record_batch({"g": pa.array([point] * 1000, pa.binary())})
        for _ in range(100_000):
            time.sleep(0.001)
            yield batch

    def dropper() -> None:
        _wait_for_backend(compute, schema)
        compute.drop_run_schemas(schema.run_id)

    compute.create_schema(schema)
    thread = threading.Thread(target=dropper)
    thread.start()
    with pytest.raises((ComputeUnavailableError, ComputeError)):
        compute.load_arrow(
            endless(), arrow_schema=pa.schema([("g", pa.binary())]), schema=schema, geometry_index=0
        )
    thread.join()
    assert schema.name not in compute.run_schemas()


def test_geometry_columns_are_found_by_type(compute: PostGIS) -> None:
    schema = fresh()
    with compute.ephemeral_schema(schema) as name:
        columns = sql.SQL('CREATE TABLE {} (geom text, "The Shape" geometry, n int, g2 geometry)')
        compute.run_step(schema, columns.format(sql.Identifier(name, "t")))
        assert compute.geometry_columns(schema, "t") == ["The Shape", "g2"]
        assert compute.geometry_columns(schema, "absent") == []


@pytest.mark.parametrize(
    ("code", "srid"), [("EPSG:32633", 32633), ("ESRI:54030", 54030), ("OGC:CRS84", 4326)]
)
def test_known_codes_have_the_srid_that_postgis_ships(
    compute: PostGIS, code: str, srid: int
) -> None:
    assert compute.register_crs(code) == srid


def test_a_code_that_postgis_lacks_is_registered_and_transforms_as_proj_does(
    compute: PostGIS,
) -> None:
    code = "EPSG:10665"  # newer than PostGIS 3.3
    srid = compute.register_crs(code)
    point = sql.SQL("SELECT ST_X(g), ST_Y(g) FROM ST_Transform('SRID=4326;POINT(-51.2 -30)', {}) g")
    [found] = compute.execute_sql(point.format(sql.Literal(srid)))
    to_code = pyproj.Transformer.from_crs("EPSG:4326", code, always_xy=True)
    assert found == pytest.approx(to_code.transform(-51.2, -30), abs=0.01)


def test_eight_at_once_register_one_code_once(settings) -> None:
    with PostGIS.connect(changed(settings, pool_size=8)) as compute:
        known = sql.SQL("SELECT auth_srid FROM spatial_ref_sys WHERE auth_name = 'IAU_2015'")
        registered = {number for (number,) in compute.execute_sql(known)}
        codes = pyproj.get_codes("IAU_2015", PJType.PROJECTED_CRS)
        number = next(int(code) for code in sorted(codes) if int(code) not in registered)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(compute.register_crs, [f"IAU_2015:{number}"] * 8))
        added = {number for (number,) in compute.execute_sql(known)} - registered
    assert added == {number}
    assert len(set(found)) == 1


@pytest.mark.parametrize("code", ["EPSG:999999", "OGC:NONSENSE", "EPSG:99999999999"])
def test_a_code_that_nobody_knows_is_the_inputs_fault(compute: PostGIS, code: str) -> None:
    with pytest.raises(InputError, match=code):
        compute.register_crs(code)


def test_a_pool_in_full_use_is_transient(settings) -> None:
    with (
        PostGIS.connect(changed(settings, pool_size=1, connect_timeout_s=1)) as narrow,
        narrow.connection(),
        pytest.raises(ComputeUnavailableError, match="couldn't get a connection"),
    ):
        narrow.execute_sql(sql.SQL("SELECT 1"))


def test_the_session_has_the_settings_that_speed_rests_on(compute: PostGIS, settings) -> None:
    wanted = {"jit": "off", "parallel_setup_cost": "0", "min_parallel_table_scan_size": "0"}
    for name, value in wanted.items():
        show = sql.SQL("SELECT current_setting({})").format(sql.Literal(name))
        assert compute.execute_sql(show) == [(value,)]
        with compute.session.adbc_connect(fresh()) as arrow, arrow.cursor() as cursor:
            cursor.execute(f"SELECT current_setting('{name}')")
            assert cursor.fetchone() == (value,)


def test_construction_touches_no_network() -> None:
    PostGIS.connect(
        ComputeSettings(host="192.0.2.1", user="nobody", password=SecretStr(SECRET))
    ).close()


def test_errors_of_other_kinds_pass_through_a_connection(compute: PostGIS) -> None:
    with pytest.raises(LookupError), compute.connection():
        raise LookupError
