from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyogrio
import pytest
import shapely

from libs.spatial_utils.sandbox import ChildLimits
from libs.spatial_utils.vector_reader import LayerInfo, StreamEnd, VectorSource, open_vector

LIMITS = ChildLimits(memory_bytes=4 * 2**30, cpu_s=60, wall_s=60)


@dataclass(frozen=True)
class Got:
    """All that the reader gave."""

    table: pa.Table
    info: LayerInfo
    end: StreamEnd

    @property
    def geometries(self) -> list[shapely.Geometry | None]:
        assert self.info.geometry_index is not None
        return list(shapely.from_wkb(self.wkb))

    @property
    def wkb(self) -> list[bytes | None]:
        assert self.info.geometry_index is not None
        return self.table.column(self.info.geometry_index).to_pylist()

    @property
    def attributes(self) -> pa.Table:
        index = self.info.geometry_index
        return self.table if index is None else self.table.remove_column(index)

    def column(self, name: str) -> list[object]:
        return self.attributes.column(name).to_pylist()

    def type_of(self, name: str) -> pa.DataType:
        return self.attributes.schema.field(name).type


Read = Callable[..., Got]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    work = tmp_path / "work"
    work.mkdir()

    def act(path: Path, driver: str, layer: str | None = None, limits: ChildLimits = LIMITS) -> Got:
        source = VectorSource(path=path, driver=driver, layer=layer)
        with open_vector(source, limits=limits, work_dir=work) as stream:
            table = pa.Table.from_batches(stream.batches(), stream.schema)
            got = Got(table, stream.info, stream.end)
        assert list(work.iterdir()) == []
        return got

    return act


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Real data in the pyogrio wheel."""
    return Path(pyogrio.__file__).parent / "tests" / "fixtures"


@pytest.fixture(scope="session")
def countries(fixtures: Path) -> Path:
    """Natural Earth's countries, a shapefile."""
    return fixtures / "naturalearth_lowres" / "naturalearth_lowres.shp"
