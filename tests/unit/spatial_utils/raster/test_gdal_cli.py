from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from libs.errors import ConfigError, InputError
from libs.settings import EtlSettings
from libs.spatial_utils import gdal_confine
from libs.spatial_utils.gdal_cli import GDAL, READABLE, local_path
from libs.spatial_utils.gdal_errors import GDALInterruptedError, GDALTimeoutError, UnsafePathError
from libs.spatial_utils.sandbox import ChildLimits, Ended, spawn

FILES = Path(__file__).parent / "files"
MakeTiff = Callable[..., Path]
needs_landlock = pytest.mark.skipif(
    gdal_confine.landlock_version() == 0, reason="this kernel has no Landlock"
)


def instead_of_gdal(script: str) -> Callable[..., subprocess.Popen[bytes]]:
    """A stand-in for Popen: whatever GDAL program is asked for, a shell script runs."""

    def popen(argv: list[str], **options: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["/bin/sh", "-c", script], **options)

    return popen


def mocked(script: str, timeout_s: float = 60) -> GDAL:
    return GDAL(timeout_s=timeout_s, memory_mb=256, workers=1, popen=instead_of_gdal(script))


def test_the_version_is_the_one_that_gdalinfo_prints(gdal: GDAL) -> None:
    printed = subprocess.run(["gdalinfo", "--version"], capture_output=True, text=True, check=True)
    assert printed.stdout.startswith(f"GDAL {gdal.version()},")


def test_limits_come_from_the_settings() -> None:
    gdal = GDAL.from_settings(EtlSettings(gdal_timeout_s=7, gdal_memory_mb=99, workers=3))
    assert (gdal.timeout_s, gdal.memory_mb, gdal.workers) == (7, 99, 3)


def test_a_stand_in_for_popen_replaces_gdal() -> None:
    assert mocked("echo 'GDAL 9.8.7, released 2099/01/01'").version() == "9.8.7"


def test_programs_get_an_argument_list_and_none_of_our_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MINIO_SECRET_KEY", "hunter2")
    seen: dict[str, object] = {}

    def popen(argv: list[str], **options: object) -> subprocess.Popen[bytes]:
        seen.update(options, argv=argv)
        return subprocess.Popen(argv, **options)

    GDAL(timeout_s=60, memory_mb=256, workers=1, popen=popen).run(
        "gdalinfo", ["--version"], work_dir=tmp_path
    )
    assert isinstance(seen["argv"], list)
    assert not seen.get("shell")
    assert "hunter2" not in str(seen)
    assert seen["env"]["PROJ_NETWORK"] == "OFF"


def test_a_time_out_names_the_setting_and_leaves_no_process(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    gdal = mocked(f"sleep 300 & echo $! > {note}; wait", timeout_s=1)
    with pytest.raises(GDALTimeoutError, match="ETL_GDAL_TIMEOUT_S") as caught:
        gdal.run("gdalwarp", [], work_dir=tmp_path, about="roads.tif")
    assert isinstance(caught.value, InputError)
    assert "roads.tif: gdalwarp was not done after 1 s" in str(caught.value)
    assert is_gone(int(note.read_text()))


def test_when_we_are_killed_our_programs_end_too(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"""
from pathlib import Path
from libs.spatial_utils.gdal_cli import GDAL
import subprocess
def popen(argv, **options):
    end = argv.index("--")
    process = subprocess.Popen([*argv[:end + 1], "/bin/sleep", "300"], **options)
    Path({str(note)!r}).write_text(str(process.pid))
    return process
GDAL(timeout_s=300, memory_mb=256, workers=1, popen=popen).run(
    "gdalinfo", [], work_dir=Path({str(tmp_path)!r}))
"""
    ours = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[4])
    deadline = time.monotonic() + 60
    while not (note.exists() and note.read_text() and runs_sleep(int(note.read_text()))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ours.kill()
    ours.wait()
    assert is_gone(int(note.read_text()))


def runs_sleep(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).name() == "sleep"


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_a_missing_program_names_the_package(
    gdal: GDAL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt install gdal-bin"):
        gdal.run("gdalinfo", ["--version"], work_dir=tmp_path)


def test_bad_data_is_told_in_gdals_words_under_the_users_name(gdal: GDAL, tmp_path: Path) -> None:
    (tmp_path / "source.tif").write_text("no picture")
    with pytest.raises(InputError) as caught:
        gdal.info(tmp_path / "source.tif", "GTiff", work_dir=tmp_path, about="Höhe (2).tif")
    (problem,) = caught.value.problems
    assert problem.where == "Höhe (2).tif"
    assert "`Höhe (2).tif' not recognized as a supported file format" in problem.what
    assert str(tmp_path) not in str(caught.value)
    assert problem.cure


def test_an_error_in_passing_counts_even_when_the_program_ends_well(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="could not read all of it"):
        mocked("echo 'ERROR 1: a tile is missing' >&2").run("gdal_translate", [], work_dir=tmp_path)


@pytest.mark.parametrize(
    "where", ["/vsimem/decompress_0x55a9d6622e40.tif: x", "/vsimem/other.tif", "source.tif"]
)
def test_a_tag_that_is_wrong_counts_except_in_gdals_own_copy_of_a_tile(
    where: str, tmp_path: Path
) -> None:
    said = f'ERROR 1: _TIFFVSetField:{where}: Bad value 3 for "ExtraSamples" tag'
    with pytest.raises(InputError, match="ExtraSamples"):
        mocked(f"echo '{said}' >&2").run("gdal_translate", [], work_dir=tmp_path)


def test_points_outside_of_a_projection_are_no_error(tmp_path: Path) -> None:
    gdal = mocked("echo 'ERROR 1: PROJ: merc: Invalid latitude' >&2")
    assert gdal.run("gdalwarp", [], work_dir=tmp_path).stdout == ""


@pytest.mark.parametrize(
    "script", ["kill -KILL $$", "echo 'ERROR 3: No space left on device' >&2; exit 1"]
)
def test_what_the_machine_did_is_not_blamed_on_the_file(script: str, tmp_path: Path) -> None:
    with pytest.raises(GDALInterruptedError):
        mocked(script).run("gdal_translate", [], work_dir=tmp_path, about="a.tif")


@pytest.mark.parametrize("script", ["exit 1", "echo 'ERROR 1: something' >&2"])
def test_a_full_disk_is_seen_although_gdal_says_nothing_of_it(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=20_000))
    with pytest.raises(GDALInterruptedError, match="the disk is full"):
        mocked(script).run("gdal_translate", [], work_dir=tmp_path, about="a.tif")


def test_a_crash_is_the_files_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="crashed"):
        mocked("kill -SEGV $$").run("gdal_translate", [], work_dir=tmp_path, about="a.tif")


@pytest.mark.parametrize("words", ["Out of memory", "block.cpp, 1108: cannot allocate 4 bytes"])
def test_too_little_memory_names_the_setting(words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ETL_GDAL_MEMORY_MB"):
        mocked(f"echo 'ERROR 2: {words}' >&2; exit 1").run(
            "gdal_translate", [], work_dir=tmp_path, about="a.tif"
        )


def test_endless_output_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="64 MiB"):
        mocked("exec cat /dev/zero").run("gdalinfo", [], work_dir=tmp_path, about="a.tif")


def test_only_the_declared_driver_opens_a_file(gdal: GDAL, tmp_path: Path) -> None:
    vrt = tmp_path / "looks_like.tif"
    vrt.write_text('<VRTDataset rasterXSize="5" rasterYSize="5"><VRTRasterBand/></VRTDataset>')
    assert (
        "VRT"
        in subprocess.run(["gdalinfo", vrt], capture_output=True, text=True, check=True).stdout
    )
    with pytest.raises(InputError):
        gdal.info(vrt, "GTiff", work_dir=tmp_path, about=vrt.name)


@pytest.mark.parametrize(
    "path", ["-oo.tif", "/vsicurl/http://127.0.0.1/a.tif", "/vsizip/a.zip/b", "http://h/a.tif"]
)
def test_paths_that_are_options_or_no_local_files_are_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError):
        local_path(Path(path), tmp_path)


def test_paths_that_lead_out_of_the_work_folder_are_refused(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "link.tif").symlink_to("/etc/passwd")
    for path in (tmp_path / "a.tif", work / ".." / "a.tif", work / "link.tif"):
        with pytest.raises(UnsafePathError):
            local_path(path, work)


def test_virtual_paths_are_refused_as_arguments_too(gdal: GDAL, tmp_path: Path) -> None:
    for argument in ("/vsicurl/http://127.0.0.1/a.tif", 'NETCDF:"/vsimem/a.nc":b'):
        with pytest.raises(UnsafePathError):
            gdal.run("gdalinfo", [argument], work_dir=tmp_path)


@needs_landlock
def test_no_file_outside_of_the_work_folder_can_be_opened(gdal: GDAL, tmp_path: Path) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside.xyz"
    work.mkdir()
    outside.write_text("0 0 1\n1 0 2\n0 1 3\n1 1 4\n")
    shutil.copy(outside, work / "inside.xyz")
    inside = gdal.run("gdalinfo", [str(work / "inside.xyz")], work_dir=work)
    assert "Driver: XYZ" in inside.stdout
    with pytest.raises(InputError):
        gdal.run("gdalinfo", [str(outside)], work_dir=work)


@needs_landlock
def test_an_hdf5_file_cannot_draw_in_the_bytes_of_another_file(gdal: GDAL, tmp_path: Path) -> None:
    shutil.copy(FILES / "external_storage.nc", tmp_path / "a.nc")
    pixels, drawn_in = tmp_path / "pixels.raw", Path("/etc/passwd").read_bytes()[:256]
    arguments = ["-q", "-if", "netCDF", "-of", "ENVI", str(tmp_path / "a.nc"), str(pixels)]
    subprocess.run(["gdal_translate", *arguments], check=True)
    assert sorted(pixels.read_bytes()) == sorted(drawn_in), "GDAL alone does what we forbid"
    pixels.unlink()
    with pytest.raises(InputError, match="HDF error"):
        gdal.run("gdal_translate", arguments, work_dir=tmp_path)


@needs_landlock
@pytest.mark.skipif(gdal_confine.landlock_version() < 4, reason="no network rules in this Landlock")
def test_no_tcp_connection_can_be_opened(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = ["-c", f"echo hello > /dev/tcp/127.0.0.1/{server.getsockname()[1]}"]
        limits = ChildLimits(memory_bytes=2**30, cpu_s=5, wall_s=10)
        walls = {"readable": READABLE, "writable": ("/dev",)}
        with spawn([bash, *connect], limits=limits, work_dir=tmp_path) as child:
            free = child.wait()
        with spawn([bash, *connect], limits=replace(limits, **walls), work_dir=tmp_path) as child:
            confined = child.wait()
    assert free.ended is Ended.WELL
    assert confined.ended is Ended.FAILED
    assert "Permission denied" in confined.stderr


def test_nothing_is_left_in_the_work_folder(gdal: GDAL, tmp_path: Path) -> None:
    gdal.run("gdalinfo", ["--version"], work_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


ASKS_FOR_ITS_PAGES = """
import resource, sys
from pathlib import Path
from libs.spatial_utils.gdal_cli import GDAL
source = Path(sys.argv[1])
GDAL(timeout_s=120, memory_mb=256, workers=2).run(
    "gdal_translate",
    ["-q", "-of", "COG", "-co", "COMPRESS=ZSTD", "-co", "PREDICTOR=FLOATING_POINT",
     "-co", "NUM_THREADS=2", str(source), str(source.with_name("cog.tif"))],
    work_dir=source.parent, cache_mb=32)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_minflt * resource.getpagesize(), used.ru_maxrss * 1024)
"""


def test_memory_that_gdal_has_used_is_used_again(make_tiff: MakeTiff) -> None:
    heights = np.add.outer(np.arange(4000.0), np.sin(np.arange(4000.0))).astype("float32")[None]
    source = make_tiff(heights, tiled=True, blockxsize=512, blockysize=512)
    asked = subprocess.run(
        [sys.executable, "-c", ASKS_FOR_ITS_PAGES, str(source)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    new_bytes, peak_bytes = map(int, asked.stdout.split())
    assert new_bytes < 1.1 * peak_bytes
