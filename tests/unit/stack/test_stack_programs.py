"""The configuration is read back with supervisor's own parser, not with ours."""

import shlex
import stat
import subprocess
import sys

import pytest
from supervisor.options import ServerOptions

from libs.stack import supervision
from libs.stack.errors import MissingProgramsError
from libs.stack.programs import STACK_VARIABLE, require_installed, table


@pytest.fixture
def parsed(paths, identity, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["supervisord"])
    supervision.write_config(paths, identity.supervisor, table(paths, identity))
    options = ServerOptions()
    options.realize(["-c", str(paths.supervisor_config)])
    return {
        process.name: process
        for group in options.process_group_configs
        for process in group.process_configs
    }


def test_supervisor_reads_the_commands_and_environments_that_were_meant(paths, identity, parsed):
    programs = table(paths, identity)
    assert list(parsed) == [program.name for program in programs]
    for program in programs:
        read = parsed[program.name]
        assert tuple(shlex.split(read.command)) == program.command
        assert read.environment == {**program.environment, STACK_VARIABLE: str(paths.state)}
        assert read.autorestart and not read.autostart


def test_no_password_stands_in_a_command(paths, identity, secrets):
    words = " ".join(word for program in table(paths, identity) for word in program.command)
    assert not [secret for secret in secrets if secret in words]


def test_supervisors_configuration_is_its_owners_only(paths, parsed):
    assert stat.S_IMODE(paths.supervisor_config.stat().st_mode) == 0o600


def test_an_unchanged_configuration_is_seen_as_such(paths, identity, parsed):
    programs = table(paths, identity)
    assert supervision.is_config_current(paths, identity.supervisor, programs)
    assert not supervision.is_config_current(paths, identity.supervisor, programs[:-1])


def test_dagster_stops_before_the_stores_that_its_runs_need(paths, identity):
    programs = table(paths, identity)
    stores = [program.start_order for program in programs if program.is_store]
    others = [program.start_order for program in programs if not program.is_store]
    assert max(stores) < min(others)


def test_the_front_goes_before_the_gateway_and_stands_at_the_published_address(paths, identity):
    programs = {program.name: program for program in table(paths, identity)}
    front, gateway = programs["front"], programs["vault"]
    assert front.address == "127.0.0.1:21001"
    assert front.environment["GATEWAY_PORT"] == "21005"
    assert "127.0.0.1:21005" in gateway.command
    assert not any("21001" in word for word in gateway.command)


def test_haproxy_itself_takes_the_fronts_configuration(paths, identity):
    front = next(program for program in table(paths, identity) if program.name == "front")
    checked = subprocess.run(
        [*front.command, "-c"], env=front.environment, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_all_missing_programs_are_named_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MissingProgramsError) as caught:
        require_installed(dagster=True)
    assert all(word in str(caught.value) for word in ("juicefs", "secantusd-py", "Dagster"))
