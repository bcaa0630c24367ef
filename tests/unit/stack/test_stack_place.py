"""A state folder that was copied or moved: its data names the place where it was made."""

import json
import shutil
import sqlite3

import pytest

from libs.stack import StackPaths, down, identity, place, up
from libs.stack.errors import MovedFolderError


@pytest.fixture
def made(tmp_path):
    """A stack that no server was ever started in."""
    paths = StackPaths.of(tmp_path / "made")
    paths.make()
    identity.create(paths, paths.compute)
    paths.compute.mkdir()
    return paths


def make_older(paths, compute_dir):
    """As a release left it that did not keep the path."""
    content = json.loads(paths.identity.read_text())
    del content["state"]
    paths.identity.write_text(json.dumps(content | {"compute_dir": str(compute_dir)}))


def format_vault(paths):
    paths.vault.mkdir()
    with sqlite3.connect(paths.vault / "meta.db") as database:
        database.execute("CREATE TABLE jfs_setting (name TEXT PRIMARY KEY, value TEXT)")
        value = json.dumps({"Name": "vault", "Bucket": f"{paths.vault}/blocks/"})
        database.execute("INSERT INTO jfs_setting VALUES ('format', ?)", [value])
    database.close()


def as_it_is(_paths):
    pass


def older(paths):
    make_older(paths, paths.compute)


def older_with_postgresql_elsewhere(paths):
    elsewhere = paths.state.with_name("spatial-etl-0123456789ab")
    elsewhere.mkdir()
    make_older(paths, elsewhere)
    format_vault(paths)


AGES = [as_it_is, older, older_with_postgresql_elsewhere]


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("change", [shutil.copytree, shutil.move])
@pytest.mark.parametrize(
    "act",
    [
        lambda state: up(state, dagster=False, progress=print),
        down,
        lambda state: down(state, purge=True),
    ],
)
def test_a_copied_or_moved_stack_is_refused_by_both_names(made, tmp_path, age, change, act):
    age(made)
    other = tmp_path / "other"
    change(made.state, other)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(MovedFolderError, match="backup") as caught:
        act(other)
    assert str(other) in str(caught.value) and str(made.state) in str(caught.value)
    assert set(before) <= set(tmp_path.rglob("*"))
    assert json.loads((other / "identity.json").read_text()).get("state") != str(other)


@pytest.mark.parametrize("age", AGES)
def test_the_same_folder_by_another_name_is_no_other_one(made, tmp_path, age):
    age(made)
    (tmp_path / "link").symlink_to(made.state)
    assert down(tmp_path / "link")


@pytest.mark.parametrize("age", AGES)
def test_a_folder_that_was_moved_behind_a_link_is_where_it_was(made, tmp_path, age):
    age(made)
    larger = tmp_path / "a larger disk"
    shutil.move(made.state, larger)
    made.state.symlink_to(larger)
    assert down(made.state) and down(larger)


@pytest.mark.parametrize("age", AGES)
def test_an_older_stack_learns_its_path(made, age):
    age(made)
    kept = place.keep(made, identity.load(made))
    assert kept.state == made.state
    assert identity.load(made) == kept


@pytest.mark.parametrize("age", AGES)
def test_a_stack_keeps_the_name_that_its_data_has_and_not_that_of_a_link(made, tmp_path, age):
    age(made)
    link = tmp_path / "link"
    link.symlink_to(made.state)
    assert place.keep(StackPaths.of(link), identity.load(made)).state == made.state
    link.unlink()
    shutil.move(made.state, link)
    with pytest.raises(MovedFolderError):
        down(link)


def test_an_older_stack_that_does_not_say_where_it_was_made_is_taken_as_it_is(made, tmp_path):
    make_older(made, tmp_path / "spatial-etl-0123456789ab")
    assert place.keep(made, identity.load(made)).state == made.state
