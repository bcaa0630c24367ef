"""XML that grows, that names other files, and that fetches."""

from __future__ import annotations

import pytest

from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "XML"

LAUGHS = "".join(
    f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" if n else "<!ENTITY l0 'ha'>" for n in range(10)
)


def document_types(canary, secret):
    return {
        "a billion laughs": (f"<!DOCTYPE x [{LAUGHS}]>", "&l9;"),
        "quadratic growth": (f"<!DOCTYPE x [<!ENTITY a '{'a' * 100_000}'>]>", "&a;" * 10_000),
        "an entity that is a file": (f"<!DOCTYPE x [<!ENTITY s SYSTEM '{secret.text}'>]>", "&s;"),
        "an entity that is a URL": (f"<!DOCTYPE x [<!ENTITY s SYSTEM '{canary.url}'>]>", "&s;"),
        "a document type by URL": (f"<!DOCTYPE x SYSTEM '{canary.url}/x.dtd'>", "x"),
        "a parameter entity": (f"<!DOCTYPE x [<!ENTITY % p SYSTEM '{canary.url}'> %p;]>", "x"),
        "an endless entity": ("<!DOCTYPE x [<!ENTITY a '&b;'><!ENTITY b '&a;'>]>", "&a;"),
    }


NOBODY = type("", (), {"url": "", "text": ""})
DOCUMENT_TYPES = list(document_types(NOBODY, NOBODY))


@pytest.mark.parametrize("kind", DOCUMENT_TYPES)
def test_kml_with_a_document_type_is_refused(attack, tmp_path, kind):
    head, text = document_types(attack.canary, attack.secret)[kind]
    path = tmp_path / "evil.kml"
    path.write_text(makers.kml(makers.PLACEMARK.format(text), head))
    attack.reject_file(path, "KML", "document type definition")


@pytest.mark.parametrize("kind", DOCUMENT_TYPES)
def test_gml_with_a_document_type_is_refused(attack, tmp_path, kind):
    head, text = document_types(attack.canary, attack.secret)[kind]
    path = tmp_path / "evil.gml"
    path.write_text(makers.gml(makers.gml_member(text), head))
    attack.reject_file(path, "GML", "document type definition")


def test_a_document_type_in_utf_16_is_seen_too(attack, tmp_path):
    head = f"<!DOCTYPE x [<!ENTITY s SYSTEM '{attack.secret.text}'>]>"
    text = makers.kml(makers.PLACEMARK.format("&s;"), head).replace("UTF-8", "UTF-16")
    path = tmp_path / "evil.kml"
    path.write_bytes(text.encode("utf-16"))
    attack.reject_file(path, "KML", "document type definition")


def test_an_entity_that_nobody_defined_is_refused(attack, tmp_path):
    path = tmp_path / "evil.kml"
    path.write_text(makers.kml(makers.PLACEMARK.format("&nbsp;")))
    attack.reject_file(path, "KML", "not whole XML: undefined entity")


def test_xml_nested_100_000_levels_deep_is_refused(attack, tmp_path):
    path = tmp_path / "deep.kml"
    path.write_text(makers.kml("<Folder>" * 100_000 + "</Folder>" * 100_000))
    attack.reject_file(path, "KML", "nested deeper than 1000")
    path = tmp_path / "deep.gml"
    path.write_text(makers.gml("<gml:a>" * 100_000 + "</gml:a>" * 100_000))
    attack.reject_file(path, "GML", "nested deeper than 1000")


def test_what_a_kml_links_to_is_not_fetched(attack, tmp_path):
    url = attack.canary.url
    links = (
        f"<NetworkLink><Link><href>{url}/x.kml</href></Link></NetworkLink>"
        f"<Style><IconStyle><Icon><href>{url}/y.png</href></Icon></IconStyle></Style>"
        f'<Schema name="s" schemaUrl="{url}/s.xsd"/><styleUrl>{url}#x</styleUrl>'
    )
    path = tmp_path / "links.kml"
    path.write_text(makers.kml(makers.PLACEMARK.format("here") + links))
    done = attack.commit_file(path, "KML")
    assert done.asset.vector.row_count == 1
    assert any("NetworkLink" in note for note in done.asset.notes)


@pytest.mark.parametrize(
    "target", ["{url}/x.kml", "{file}", "http://127.0.0.1:9/x.kml", "other.kml"]
)
def test_a_kml_of_nothing_but_links_is_refused_and_not_an_empty_dataset(attack, tmp_path, target):
    target = target.format(url=attack.canary.url, file=attack.secret.geojson)
    link = f"<NetworkLink><Link><href>{target}</href></Link></NetworkLink>"
    path = tmp_path / "links.kml"
    path.write_text(makers.kml(link))
    attack.reject_file(path, "KML", r"NetworkLink")


def test_a_kmz_is_not_unpacked_as_kml(attack, tmp_path):
    inner = makers.kml(makers.PLACEMARK.format("x")).encode()
    path = makers.zipped(tmp_path / "evil.kml", {"doc.kml": inner, "../../x": b"x"})
    attack.reject_file(path, "KML", "not whole XML")


def test_what_a_gml_refers_to_is_not_fetched(attack, tmp_path):
    url = attack.canary.url
    attributes = (
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xlink='
        f'"http://www.w3.org/1999/xlink" xsi:schemaLocation="http://ogr.maptools.org/ {url}/x.xsd"'
    )
    place = "<gml:coordinates>1,2</gml:coordinates>"
    linked = f'<gml:Point xlink:href="{url}/point.gml#p">{place}</gml:Point>'
    path = tmp_path / "links.gml"
    path.write_text(makers.gml(makers.gml_member("a", linked), attributes=attributes))
    done = attack.commit_file(path, "GML")
    assert done.asset.vector.row_count == 1


def test_a_geometry_that_lies_behind_a_link_is_refused_or_null(attack, tmp_path):
    attributes = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
    member = (
        "<gml:featureMember><ogr:place><ogr:geometryProperty "
        f'xlink:href="{attack.canary.url}/p.gml#p"/><ogr:name>a</ogr:name></ogr:place>'
        "</gml:featureMember>"
    )
    path = tmp_path / "links.gml"
    path.write_text(makers.gml(member + makers.gml_member("b"), attributes=attributes))
    done = attack.commit_file(path, "GML")
    assert done.asset.vector.row_count == 2


def test_a_schema_beside_a_gml_that_names_others_is_not_followed(attack, tmp_path):
    path = tmp_path / "s.gml"
    path.write_text(makers.gml(makers.gml_member("a")))
    schema = path.with_suffix(".xsd")
    schema.write_text(
        f'<!DOCTYPE x [<!ENTITY s SYSTEM "{attack.secret.text}">]>'
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'xmlns:gml="http://www.opengis.net/gml" targetNamespace="http://ogr.maptools.org/">'
        f'<xs:import namespace="http://www.opengis.net/gml" schemaLocation="{attack.canary.url}"/>'
        f'<xs:include schemaLocation="{attack.secret.text}"/><xs:x>&s;</xs:x></xs:schema>'
    )
    done = attack.commit_file(path, "GML", beside=[schema])
    assert done.asset.vector.row_count == 1


@pytest.mark.parametrize("encoding", ["UTF-7", "EBCDIC-CP-US", "x-nonsense"])
def test_an_encoding_that_hides_what_is_written_is_refused(attack, tmp_path, encoding):
    text = makers.kml(makers.PLACEMARK.format("x")).replace("UTF-8", encoding)
    path = tmp_path / "coded.kml"
    path.write_text(text)
    attack.reject_file(path, "KML", "not whole XML")
