"""GeoPackages are databases: with views, triggers and tables that do not mean well."""

from __future__ import annotations

import sqlite3

import geopandas
import pytest

from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "GeoPackages"


@pytest.fixture
def path(tmp_path):
    [path] = makers.honest(tmp_path, "GPKG", rows=3)
    return path


def run(path, script):
    with sqlite3.connect(path) as base:
        base.executescript(script)
    return path


def editable(path):
    """The database without its triggers, which call functions that only GDAL knows."""
    base = sqlite3.connect(path)
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for (trigger,) in base.execute(query).fetchall():
        base.execute(f'DROP TRIGGER "{trigger}"')
    return base


def view(name, select):
    """A view that says it is a layer."""
    return f"""
        CREATE VIEW {name} AS {select};
        INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id)
          VALUES ('{name}', 'features', '{name}', 4326);
        INSERT INTO gpkg_geometry_columns VALUES ('{name}', 'geom', 'POINT', 4326, 0, 0);"""


ENDLESS = """WITH RECURSIVE n(fid) AS (SELECT 1 UNION ALL SELECT fid + 1 FROM n)
    SELECT fid, (SELECT geom FROM honest LIMIT 1) AS geom FROM n"""
STUCK = """WITH RECURSIVE n(fid) AS (SELECT 1 UNION ALL SELECT fid + 1 FROM n)
    SELECT max(fid) AS fid, (SELECT geom FROM honest LIMIT 1) AS geom FROM n"""
LARGE = """SELECT fid, geom, zeroblob(900000000) AS a, zeroblob(900000000) AS b FROM honest"""
SLOW = """SELECT a.fid, a.geom FROM honest a, honest b WHERE hex(randomblob(100000000)) = '1'"""


@pytest.mark.parametrize("select", [ENDLESS, STUCK, SLOW], ids=["endless", "stuck", "slow"])
def test_a_view_that_never_ends_is_ended_by_the_readers_limits(attack, path, select):
    run(path, view("bad", select))
    attack.reject_file(path, "GPKG", r"ETL_READER_(CPU_S|TIMEOUT_S|MEMORY_MB)", layer="bad")


def test_a_view_that_fills_the_memory_is_ended_by_the_readers_limits(attack, path):
    run(path, view("bad", LARGE))
    attack.reject_file(path, "GPKG", r"honest\.gpkg", layer="bad")


def test_an_endless_view_beside_the_layer_is_not_touched(attack, path):
    run(path, view("bad", ENDLESS))
    done = attack.commit_file(path, "GPKG", layer="honest")
    assert done.asset.vector.row_count == 3


def test_triggers_are_never_fired(attack, path):
    run(path, """
        CREATE TRIGGER t1 AFTER INSERT ON honest BEGIN DELETE FROM honest; END;
        CREATE TRIGGER t2 AFTER UPDATE ON gpkg_contents BEGIN DELETE FROM honest; END;
        CREATE TRIGGER t3 AFTER INSERT ON gpkg_ogr_contents BEGIN SELECT load_extension('x'); END;
        CREATE TRIGGER t4 AFTER UPDATE ON gpkg_ogr_contents BEGIN SELECT writefile('x', 'y'); END;
    """)  # fmt: skip
    done = attack.commit_file(path, "GPKG")
    assert done.asset.vector.row_count == 3


@pytest.mark.parametrize(
    "call",
    ["load_extension('/tmp/evil')", "readfile('{file}')", "fts3_tokenizer('x', 1)",
     "gdal_get_pixel_value('{file}', 1, 'pixel', 1, 1)",
     "ogr_layer_Extent('honest')", "CastToXY(ST_GeomFromText('{file}'))"],
)  # fmt: skip
def test_a_view_that_calls_dangerous_functions_gives_no_secret(attack, path, call):
    call = call.format(file=attack.secret.text)
    run(path, view("bad", f"SELECT fid, geom, {call} AS told FROM honest"))
    attack.reject_file(path, "GPKG", r"honest\.gpkg", layer="bad")


def test_a_virtual_table_of_another_file_gives_no_secret(attack, path):
    run(path, view("bad", "SELECT fid, geom FROM honest"))
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA writable_schema = ON")
        module = f"CREATE VIRTUAL TABLE bad USING VirtualOGR('{attack.secret.geojson}')"
        base.execute("UPDATE sqlite_master SET type='table', sql=? WHERE name='bad'", (module,))
    attack.reject_file(path, "GPKG", r"honest\.gpkg", layer="bad")


def test_a_view_of_the_databases_own_tables_is_just_data(attack, path):
    run(path, view("bad", "SELECT fid, geom, (SELECT sql FROM sqlite_master) AS s FROM honest"))
    done = attack.commit_file(path, "GPKG", layer="bad")
    assert done.asset.vector.row_count == 3


@pytest.mark.parametrize(
    "name", ['x"; DROP TABLE honest; --', "x'); DELETE FROM honest; --", "", "x\ny", "geom"]
)
def test_the_name_of_a_layer_is_never_sql(attack, path, name):
    quoted = '"' + name.replace('"', '""') + '"'
    with editable(path) as base:
        base.execute(f"ALTER TABLE honest RENAME TO {quoted}")
        for table in ("gpkg_contents", "gpkg_geometry_columns", "gpkg_ogr_contents"):
            base.execute(f"UPDATE {table} SET table_name = ?", (name,))
        base.execute("DELETE FROM gpkg_extensions")
    assert attack.commit_file(path, "GPKG").asset.vector.row_count == 3


def test_the_name_of_a_column_is_never_sql(attack, path):
    with sqlite3.connect(path) as base:
        base.execute('ALTER TABLE honest RENAME n TO "n""; DROP TABLE honest; --"')
    done = attack.commit_file(path, "GPKG")
    assert 'n"; DROP TABLE honest; --' in [column.name for column in done.asset.vector.columns]
    assert done.asset.vector.row_count == 3


def test_a_layer_that_its_database_does_not_have_is_refused(attack, path):
    run(path, "UPDATE gpkg_contents SET table_name = 'no'; DROP TABLE gpkg_ogr_contents;"
              "UPDATE gpkg_geometry_columns SET table_name = 'no'")  # fmt: skip
    attack.reject_file(path, "GPKG", r"honest\.gpkg")


def test_a_database_that_is_no_geopackage_is_refused(attack, tmp_path):
    path = run(tmp_path / "plain.gpkg", "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    attack.reject_file(path, "GPKG", r"plain\.gpkg")


def test_a_geopackage_that_is_still_in_its_journal_is_refused_or_whole(attack, path):
    base = sqlite3.connect(path)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("DELETE FROM gpkg_ogr_contents")
    base.commit()
    copy = path.with_name("wal.gpkg")
    copy.write_bytes(path.read_bytes())
    base.close()
    done = attack.commit_file(copy, "GPKG")
    assert done.asset.vector.row_count == 3


def test_a_generated_column_that_never_ends_is_ended_by_the_readers_limits(attack, path):
    run(path, "ALTER TABLE honest ADD COLUMN g TEXT AS (hex(zeroblob(400000000)) || n)")
    attack.reject_file(path, "GPKG", r"honest\.gpkg")


@pytest.mark.parametrize(
    ("what", "blob"),
    [
        ("no header", b"this is no geometry"), ("an empty blob", b""), ("a header only", b"GP\0\1"),
        ("a header that lies", b"GP\0\x0f" + bytes(4)),
        ("WKB that is cut off", b"GP\0\1" + bytes.fromhex("e6100000") + makers.point_wkb(1, 2)[:9]),
        ("WKB of no type", b"GP\0\1" + bytes.fromhex("e6100000") + bytes.fromhex("01ff000000")),
        ("a count of 4 thousand million",
         b"GP\0\1" + bytes.fromhex("e6100000") + bytes.fromhex("0102000000ffffffff")),
        ("collections 5000 deep",
         b"GP\0\1" + bytes.fromhex("e6100000") + bytes.fromhex("010700000001000000") * 5000),
        ("a text", "POINT (1 2)"), ("a number", 7),
    ],
)  # fmt: skip
def test_a_geometry_that_is_none_is_named_and_never_becomes_null(attack, path, what, blob):
    with editable(path) as base:
        base.execute("UPDATE honest SET geom = ? WHERE n = 1", (blob,))
    attack.reject_file(path, "GPKG", r"row 1, counted from 0|\(row id 2\)|geometry column|GDAL")


def test_a_value_that_its_column_cannot_hold_is_named(attack, path):
    with editable(path) as base:
        base.execute("UPDATE honest SET n = 'many' WHERE n = 1")
    attack.reject_file(path, "GPKG", "column 'n' is of type .*'many'")


def test_a_layer_that_announces_too_few_rows_is_read_whole(attack, path):
    run(path, "UPDATE gpkg_ogr_contents SET feature_count = 1")
    done = attack.commit_file(path, "GPKG")
    assert len(geopandas.read_parquet(done.file)) == 3


def test_a_layer_that_announces_too_many_rows_is_refused(attack, path):
    run(path, "UPDATE gpkg_ogr_contents SET feature_count = 99")
    attack.reject_file(path, "GPKG", "announces 99 features, but only 3")
