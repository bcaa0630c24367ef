import re
import resource
import subprocess
import sys

import pytest

from libs.cli.exits import MEANINGS, ExitCode, code_of_batch, code_of_error
from libs.errors import ConfigError, InputError, OperatorError, TransientError
from libs.models import BatchState, OnError

ESCAPE = "\x1b["


def test_help_names_every_command_and_every_exit_code(spatial_etl):
    ended = spatial_etl("--help")
    assert ended.code == 0
    for command in [
        "stack",
        "submit",
        "status",
        "assets",
        "asset",
        "lineage",
        "get",
        "recipes",
        "audit",
        "backup",
        "restore",
        "demo",
    ]:
        assert re.search(rf"^  {command} ", ended.out, re.MULTILINE), command
    for code in ExitCode:
        assert re.search(rf"^ +{code.value} {re.escape(MEANINGS[code])}$", ended.out, re.MULTILINE)


def test_help_is_there_at_once(spatial_etl):
    def seconds_of_cpu():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert spatial_etl("--help").code == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds_of_cpu() for _ in range(3)) < 0.5


def test_nothing_that_costs_is_imported_before_a_command_runs():
    code = "import sys, libs.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    costly = {
        "pydantic",
        "minio",
        "pymongo",
        "pyarrow",
        "psycopg",
        "pyogrio",
        "pyproj",
        "numpy",
        "yaml",
    }
    assert not costly & set(loaded.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["submit"],
        ["submit", "a.gpkg", "--project", "P"],
        ["submit", "absent.gpkg", "--project", "P", "--intent", "i"],
        ["submit", "a.gpkg", "--project", "P", "--intent", "i", "--on-error", "shrug"],
        ["status", "--limit", "0"],
    ],
)
def test_a_wrong_command_line_ends_with_2_and_says_why(spatial_etl, tmp_path, arguments):
    (tmp_path / ".env").write_text(
        "MINIO_ENDPOINT=127.0.0.1:9\nMINIO_ACCESS_KEY=a\nMINIO_SECRET_KEY=b\n"
        "LANDING_ACCESS_KEY=a\nLANDING_SECRET_KEY=b\n"
    )
    ended = spatial_etl(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Error" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", [["assets"], ["status"], ["asset", "a/b"], ["audit"]])
def test_missing_settings_end_with_78_and_one_sentence(spatial_etl, command):
    ended = spatial_etl(*command)
    assert (ended.code, ended.out) == (78, "")
    assert re.search(r"^Error: Settings: [A-Z_]+ is not set", ended.err)
    assert len(ended.err.splitlines()) == 1


def test_an_absent_settings_file_is_named(spatial_etl):
    ended = spatial_etl("--env-file", "nowhere.env", "assets")
    assert ended.code == 78
    assert "nowhere.env does not exist" in ended.err


def test_a_folder_without_a_stack_ends_with_3(spatial_etl, tmp_path):
    for command in ("status", "down"):
        assert spatial_etl("stack", command).code == 3
    assert list(tmp_path.iterdir()) == []


def test_an_error_with_json_is_one_json_object(spatial_etl):
    ended = spatial_etl("stack", "status", "--json")
    assert ended.code == 3
    assert ended.document["kind"] == "NotFoundError"
    assert ended.document["exit_code"] == 3
    assert ".stack" in ended.document["error"]


def test_a_server_that_is_away_ends_with_5_and_shows_no_secret(spatial_etl, tmp_path):
    (tmp_path / ".env").write_text(
        "MINIO_ENDPOINT=127.0.0.1:9\nMINIO_ACCESS_KEY=key\nMINIO_SECRET_KEY=hush-minio\n"
        "MONGODB_URI=mongodb://127.0.0.1:9/\nMONGODB_USERNAME=u\nMONGODB_PASSWORD=hush-mongo\n"
        "MONGODB_TIMEOUT_S=0.3\n"
    )
    ended = spatial_etl("--debug", "assets", "--json")
    assert ended.code == 5
    assert ended.document["exit_code"] == 5
    assert "Traceback" in ended.err  # asked for
    assert "hush" not in ended.out + ended.err
    assert "Traceback" not in spatial_etl("assets").err


def test_a_ledger_that_is_named_wrongly_is_no_ledger_that_is_not_named(tmp_path):
    from libs.cli.submitting import registry_if_any
    from libs.settings import Settings

    def settings(*lines):
        (tmp_path / "s.env").write_text("MINIO_ENDPOINT=127.0.0.1:9\n" + "\n".join(lines))
        return Settings(tmp_path / "s.env")

    with registry_if_any(settings()) as registry:
        assert registry is None
    for line in ("MONGODB_URI=127.0.0.1:2", "MONGODB_URI=mongodb://h/\nMONGODB_TIMEOUT_S=ten"):
        with (
            pytest.raises(ConfigError, match="MONGODB_"),
            registry_if_any(settings(line)),
        ):
            pass


def test_piped_output_has_no_colour_codes(spatial_etl):
    for arguments in (["--help"], ["assets"], ["submit"], ["stack", "status"]):
        ended = spatial_etl(*arguments)
        assert ESCAPE not in ended.out + ended.err


def test_each_kind_of_error_has_its_code():
    assert code_of_error(InputError.of("a", "b", "c")) is ExitCode.REJECTED
    assert code_of_error(ConfigError("x")) is ExitCode.CONFIGURATION
    assert code_of_error(OperatorError("x")) is ExitCode.PLATFORM
    assert code_of_error(TransientError("x")) is ExitCode.PLATFORM
    assert code_of_error(OSError(28, "No space left on device")) is ExitCode.PLATFORM
    assert code_of_error(ZeroDivisionError()) is ExitCode.BUG


def test_each_end_of_a_batch_has_its_code():
    codes = {state: code_of_batch(state) for state in BatchState}
    assert codes[BatchState.COMMITTED] == 0
    assert codes[BatchState.REJECTED] == 4
    assert codes[BatchState.FAILED] == codes[BatchState.CANCELLED] == 5
    assert codes[BatchState.RUNNING] == codes[BatchState.RECEIVED] == 7


def test_on_error_takes_what_a_manifest_takes(spatial_etl):
    shown = re.search(r"--on-error <([a-z_|]+)>", spatial_etl("submit", "--help").out).group(1)
    assert set(shown.split("|")) == {choice.value for choice in OnError}
