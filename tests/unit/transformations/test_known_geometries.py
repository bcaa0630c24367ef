"""What is known of all geometries of a table."""

from libs.transformations import KnownGeometries


def test_names_are_those_of_geoparquet_and_z_and_m_do_not_matter():
    seen = KnownGeometries.seen(["Polygon", "Polygon Z", "MultiPolygon ZM"])
    assert seen.are("Polygon", "MultiPolygon")
    assert seen.are("Point", "Polygon", "MultiPolygon")
    assert not seen.are("Polygon")


def test_only_single_points_are_points():
    assert KnownGeometries.seen(["Point", "Point M"]).are_points
    assert not KnownGeometries.seen(["Point", "MultiPoint"]).are_points


def test_where_nothing_is_known_nothing_is_said_and_null_geometries_are_whatever_one_likes():
    assert not KnownGeometries().are("Point", "Polygon")
    assert KnownGeometries.seen([]).are("Polygon")
    assert KnownGeometries.seen([]).are_points
