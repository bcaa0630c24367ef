import json
import os
import stat
from pathlib import Path

import pytest
import yaml

from libs.settings import Settings
from libs.stack import StackPaths, dagster_home, down, env_file, identity, postgres_config, status
from libs.stack.errors import ForeignFolderError, StackError
from libs.stack.logs import excerpt
from libs.stack.private_files import write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_file_is_its_owners_only_whatever_the_umask_and_the_file_before(tmp_path):
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o666)
    before = os.umask(0)
    try:
        write_private(path, "new")
    finally:
        os.umask(before)
    assert (mode(path), path.read_text()) == (0o600, "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_new_state_folder_is_closed_to_others(paths):
    assert mode(paths.state) == 0o700
    assert mode(paths.logs) == 0o700


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ForeignFolderError, match="was not made by"):
        StackPaths.of(tmp_path).make()
    assert down(tmp_path, purge=True) is False
    assert (tmp_path / "thesis.txt").exists()


def test_where_there_is_no_stack_there_is_no_status(tmp_path):
    assert status(tmp_path / "nothing") == []
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["a'b", 'a"b', "100%", "a;b", "a#b", "a\nb"])
def test_a_folder_name_that_no_configuration_file_can_carry_is_refused(tmp_path, name):
    with pytest.raises(StackError, match="choose another state folder"):
        StackPaths.of(tmp_path / name)


def test_sockets_fit_the_kernels_limit_in_folders_however_deep(tmp_path):
    deep = StackPaths.of(tmp_path / ("d" * 60) / ("e" * 60))
    other = StackPaths.of(tmp_path / ("d" * 60) / ("f" * 60))
    assert len(os.fsencode(deep.socket("supervisor"))) < 100
    assert deep.socket("supervisor") != other.socket("supervisor")


def test_ports_and_passwords_are_kept(paths):
    made = identity.create(paths, paths.compute)
    assert identity.load(paths) == made
    assert mode(paths.identity) == 0o600
    assert len(set(dict(made.ports).values())) == 6


@pytest.mark.parametrize("unknown", [["monitor"], ["gateway", "monitor"]])
def test_a_stack_from_before_a_server_was_added_gets_a_port_for_it(paths, unknown):
    made = identity.create(paths, paths.compute)
    older = json.loads(paths.identity.read_text())
    for server in unknown:
        del older["ports"][server]
    paths.identity.write_text(json.dumps(older))
    loaded = identity.load(paths)
    assert loaded == identity.load(paths)
    ports = dict(loaded.ports)
    assert 0 not in ports.values() and len(set(ports.values())) == 6
    assert loaded.ports.vault == made.ports.vault


def test_no_settings_file_names_the_gateway_behind_the_front(paths, identity):
    values = " ".join(env_file.settings_of(paths, identity).values())
    assert str(identity.ports.vault) in values
    assert str(identity.ports.gateway) not in values


def test_no_password_shows_in_a_repr(identity, secrets):
    assert len(secrets) == 8
    assert not [secret for secret in secrets if secret in f"{identity!r} {identity}"]


def test_the_settings_file_gives_the_settings_back(paths, identity, monkeypatch):
    written = env_file.settings_of(paths, identity)
    for name in written:
        monkeypatch.delenv(name, raising=False)
    env_file.write(paths, written)
    settings = Settings(paths.env_file)
    assert mode(paths.env_file) == 0o600
    assert settings.vault.endpoint == "127.0.0.1:21001"
    assert settings.vault.secret_key == identity.vault_pipeline.password
    assert settings.uploader.secret_key == identity.vault_uploader.password
    assert settings.ledger.uri == "mongodb://127.0.0.1:21002/"
    assert settings.ledger.password == identity.ledger_pipeline.password
    assert (settings.compute.port, settings.compute.user) == (21003, "pipeline")
    assert settings.compute.password == identity.compute_pipeline.password
    assert settings.etl.work_dir == paths.work
    assert settings.etl.dagster_url == "http://127.0.0.1:21004"


def test_a_persons_own_settings_survive_and_win(paths, identity, monkeypatch):
    monkeypatch.delenv("ETL_WORKERS", raising=False)
    paths.own_settings.write_text("ETL_WORKERS=7\n")
    for _ in range(2):
        env_file.write(paths, env_file.settings_of(paths, identity))
        assert Settings(paths.env_file).etl.workers == 7


def test_the_settings_file_holds_no_administrators_password(paths, identity):
    values = set(env_file.settings_of(paths, identity).values())
    admins = (identity.vault_admin, identity.ledger_admin, identity.compute_admin)
    assert not values & {account.clear for account in admins}


def test_dagster_takes_what_may_be_tuned_and_keeps_its_storage_in_the_state_folder(paths, tmp_path):
    shared = tmp_path / "dagster.yaml"
    shared.write_text(
        yaml.safe_dump(
            {
                "concurrency": {"runs": {"max_concurrent_runs": 7}},
                "storage": {"postgres": {"postgres_url": "elsewhere"}},
                "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher"},
                "telemetry": {"enabled": True},
            }
        )
    )
    instance = dagster_home.instance(paths, shared)
    assert instance["concurrency"] == {"runs": {"max_concurrent_runs": 7}}
    assert instance["storage"] == {"sqlite": {"base_dir": str(paths.dagster_storage)}}
    assert instance["telemetry"] == {"enabled": False}
    assert "run_launcher" not in instance


def test_postgresql_listens_on_loopback_only_and_has_the_shared_settings():
    text = postgres_config.render(21003)
    given = dict(
        line.split("=", 1)
        for line in text.replace(" = ", "=").splitlines()
        if line and not line.startswith("#")
    )
    assert given["listen_addresses"] == "'127.0.0.1'"
    assert given["unix_socket_directories"] == "''"
    assert (given["port"], given["fsync"], given["jit"]) == ("21003", "off", "off")


def test_a_failed_servers_log_is_shown_without_colours_and_without_reading_all_of_it(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("x" * 100_000 + "\n" + "\n".join(f"\x1b[32mline {n}\x1b[0m" for n in range(50)))
    assert excerpt(log, 2) == "line 48\nline 49"
    assert excerpt(tmp_path / "none.log") == ""


def test_the_error_that_others_wrapped_is_shown_once_before_the_end_of_the_log(tmp_path):
    log = tmp_path / "a.log"
    once = "Traceback\n  File x\npkg.RootError: port is not a number\n" + "  File y\n" * 20
    log.write_text(3 * (once + "pkg.LoadError: could not load\n"))
    assert excerpt(log, 2).splitlines() == [
        "pkg.RootError: port is not a number",
        "...",
        "  File y",
        "pkg.LoadError: could not load",
    ]
