"""What is known of all geometries of a table."""

from libs.transformations import GeometryTypes


def test_names_are_those_of_geoparquet_and_z_and_m_do_not_matter():
    seen = GeometryTypes.seen(["Polygon", "Polygon Z", "MultiPolygon ZM"])
    assert seen.are("Polygon", "MultiPolygon")
    assert seen.are("Point", "Polygon", "MultiPolygon")
    assert not seen.are("Polygon")


def test_only_single_points_are_points():
    assert GeometryTypes.seen(["Point", "Point M"]).are_points
    assert not GeometryTypes.seen(["Point", "MultiPoint"]).are_points


def test_where_nothing_is_known_nothing_is_said_and_null_geometries_are_whatever_one_likes():
    assert not GeometryTypes().are("Point", "Polygon")
    assert GeometryTypes.seen([]).are("Polygon")
    assert GeometryTypes.seen([]).are_points
