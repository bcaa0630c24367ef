"""Damaged, crowded and wrong folders of backups; losses; old backups that go."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from libs.audit import FindingKind, audit
from libs.backup import (
    BackupBusyError,
    BackupFolderError,
    DamagedBackupError,
    NoRoomError,
    Wishes,
    check_backup,
    restore_backup,
    take_backup,
)
from libs.backup.folder import BackupFolder
from libs.backup.readme import README
from libs.ledger import LedgerRestoringError, OtherRestoreError
from tests.faults.stores import LAKE
from tests.integration.backup.conftest import drop_ledger, lines, new_ledger, newest, place

pytestmark = pytest.mark.integration
SPATIAL_ETL = Path(sys.executable).with_name("spatial-etl")


@pytest.fixture
def copy(rehearsal, tmp_path):
    """A copy of the rehearsal's folder, to do harm to."""
    folder = tmp_path / "copy"
    shutil.copytree(rehearsal.folder, folder)
    return folder


def an_object(folder):
    """The path of an object below the folder, and its asset."""
    asset = lines(newest(folder) / "assets.jsonl")[0]
    return folder / "objects" / asset["s3_key"], asset


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 10)


def spatial_etl(place, *arguments):
    return subprocess.run(
        [SPATIAL_ETL, "--env-file", place.file, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


HARM = {
    "a flipped byte in an object": (lambda folder: an_object(folder)[0], flip),
    "a missing object": (lambda folder: an_object(folder)[0], Path.unlink),
    "an object that is cut off": (lambda folder: an_object(folder)[0], cut),
    "a flipped byte in the assets": (lambda folder: newest(folder) / "assets.jsonl", flip),
    "batches that are cut off": (lambda folder: newest(folder) / "batches.jsonl", cut),
    "no runs": (lambda folder: newest(folder) / "runs.jsonl", Path.unlink),
    "an index that is cut off": (lambda folder: newest(folder) / "index.json", cut),
    "no index": (lambda folder: newest(folder) / "index.json", Path.unlink),
}


@pytest.mark.parametrize("harm", HARM)
def test_damage_is_found_and_refused_by_name_and_nothing_becomes_visible(copy, harm, target):
    place_of, act = HARM[harm]
    path = place_of(copy)
    act(path)
    name = path.relative_to(copy).as_posix()
    found = check_backup(copy)
    assert name in [damage.where for damage in found.damages]
    assert newest(copy).name not in found.backups
    with target.platform() as platform:
        with pytest.raises(DamagedBackupError) as caught:
            restore_backup(platform, copy, Wishes())
        assert name in str(caught.value)
    for collection in ("batches", "assets", "datasets", "runs"):
        assert not target.collection(collection)


def names_of(folder):
    """The names of its backups, and of each the keys that it names."""
    return {
        path.name: {item["key"] for item in lines(path / "objects.jsonl")}
        for path in (folder / "ledger").iterdir()
    }


@pytest.mark.parametrize("act", [flip, cut, Path.unlink])
@pytest.mark.parametrize("shared", [True, False])
def test_no_backup_is_whole_that_names_a_damaged_object(copy, act, shared):
    named = names_of(copy)
    first, second = (named[name] for name in sorted(named))
    key = min(first & second if shared else second - first)
    act(copy / "objects" / key)
    found = check_backup(copy)
    assert found.backups == tuple(name for name in sorted(named) if key not in named[name])
    assert [damage.where for damage in found.damages] == [f"objects/{key}"]
    assert found.objects == len(first | second), "each is read once"


def test_a_loss_is_one_of_the_backups_that_say_so_only(copy):
    named = names_of(copy)
    old, new = sorted(named)
    key = min(named[old] & named[new])
    lose(copy / "ledger" / old, key)
    (copy / "objects" / key).unlink()
    found = check_backup(copy)
    assert found.backups == (old,), "the newer one had it"
    assert (found.losses_count, found.damages_count) == (1, 1)
    lose(copy / "ledger" / new, key)
    found = check_backup(copy)
    assert found.backups == (old, new)
    assert (found.losses_count, found.damages_count) == (1, 0), "one object"


def lose(backup, key):
    """As if the lake had not had it when the backup was taken."""
    path = backup / "losses.jsonl"
    path.write_text(json.dumps({"where": key, "what": "is not in the lake."}) + "\n")
    index = json.loads((backup / "index.json").read_text())
    data = path.read_bytes()
    index["files"][path.name] = {
        "lines": 1, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()
    }  # fmt: skip
    index["losses"] = 1
    (backup / "index.json").write_text(json.dumps(index))


def test_after_damage_was_mended_the_same_command_goes_on(copy, rehearsal, target):
    path, _ = an_object(copy)
    flip(path)
    with target.platform() as platform:
        with pytest.raises(DamagedBackupError, match="--accept-losses"):
            restore_backup(platform, copy, Wishes())
        with pytest.raises(LedgerRestoringError):
            audit(platform, repair=True)
        with pytest.raises(OtherRestoreError):
            restore_backup(platform, copy, Wishes(version_gap=3))
        shutil.copy(rehearsal.folder / path.relative_to(copy), path)
        report = restore_backup(platform, copy, Wishes())
        assert report.objects_restored == 1
        assert report.objects_there_already == rehearsal.later.objects - 1
        assert not audit(platform, repair=False, verify_bytes=True).findings


def test_what_is_lost_can_be_accepted_and_is_then_reported_and_never_hidden(copy, target):
    path, asset = an_object(copy)
    path.unlink()
    with target.platform() as platform:
        report = restore_backup(platform, copy, Wishes(accept_losses=True))
        assert [loss.where for loss in report.losses] == [path.relative_to(copy).as_posix()]
        (finding,) = audit(platform, repair=False, verify_bytes=True).findings
    assert finding.kind is FindingKind.MISSING_OBJECT
    assert asset["s3_key"] in finding.subject


def test_an_object_that_the_lake_has_lost_does_not_keep_the_others_from_being_backed_up(
    rehearsal, target, tmp_path
):
    with target.platform() as platform:
        restore_backup(platform, rehearsal.folder, Wishes())
    gone, altered = sorted(target.stores.keys(LAKE))[:2]
    target.stores.vault.remove_object(LAKE, gone)
    body = os.urandom(target.stores.vault.stat_object(LAKE, altered).size)
    with target.platform() as platform:
        platform.vault.put_bytes(LAKE, altered, body)
    ended = spatial_etl(target, "backup", tmp_path / "b", "--json")
    assert ended.returncode == 6, ended.stderr
    report = json.loads(ended.stdout)
    assert {loss["where"] for loss in report["losses"]} == {gone, altered}
    assert report["objects_copied"] == report["objects"] - 2
    checked = spatial_etl(target, "backup", tmp_path / "b", "--check", "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["losses_count"] == 2


def test_only_one_backup_works_on_a_folder(copy, source):
    with BackupFolder.for_writing(copy), pytest.raises(BackupBusyError, match="Wait"):
        take_backup(source.settings, copy)
    with BackupFolder.for_reading(copy), BackupFolder.for_reading(copy):
        with pytest.raises(BackupBusyError):
            take_backup(source.settings, copy)
        check_backup(copy)


def test_a_folder_of_other_things_and_one_of_another_ledger_are_left_alone(copy, source, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(BackupFolderError, match="thesis"):
        take_backup(source.settings, other)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    with pytest.raises(BackupFolderError, match="no folder of backups"):
        check_backup(other)
    time.sleep(0.01)  # ledgers differ in the millisecond of their first shape
    stranger = new_ledger(
        place(source.env, tmp_path, MONGODB_DATABASE=f"spatial_etl_{uuid.uuid4().hex[:8]}")
    )
    with pytest.raises(BackupFolderError, match=source.env["MONGODB_DATABASE"]):
        take_backup(stranger.settings, copy, keep=1)
    drop_ledger(stranger)
    assert len(check_backup(copy).backups) == 2


PRECIOUS = {"README.txt": "my maps", "objects/precious.gpkg": "years", ".incoming/x": "of work"}


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    "files",
    [
        PRECIOUS,
        PRECIOUS | {"ledger/2020-01-01T00-00-00Z/mine": ""},
        {"README.txt": "my maps"},
        {"README.txt": "", "objects/precious.gpkg": "years"},
        {"README.txt": README, "objects/precious.gpkg": "years"},
        {".lock": "", "thesis.txt": "mine"},
        {".lock": "", ".incoming/x": "of work"},
        {"README.txt/precious": "years"},
    ],
)
def test_a_folder_with_names_like_ours_is_no_folder_of_backups_and_left_alone(files, tmp_path):
    write(tmp_path, files)
    with (
        pytest.raises(BackupFolderError, match="no folder of backups"),
        BackupFolder.for_writing(tmp_path),
    ):
        pass
    found = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path).as_posix(): path.read_text() for path in found} == files


@pytest.mark.parametrize(
    "files",
    [
        {},
        {".lock": ""},
        {".lock": "", "README.txt": ""},
        {".lock": "", "README.txt": README[:100]},
        {"README.txt": README, "lost+found/x": ""},
    ],
)
def test_a_first_backup_that_was_broken_off_at_its_beginning_is_no_hindrance(files, tmp_path):
    write(tmp_path, files)
    (tmp_path / "objects").mkdir()
    with BackupFolder.for_writing(tmp_path):
        assert (tmp_path / "README.txt").read_text() == README


def another_readme(folder):
    (folder / "README.txt").write_text(README.partition("\n")[0] + "\nof another release")


def half_a_readme(folder):
    cut(folder / "README.txt")


def no_readme(folder):
    (folder / "README.txt").unlink()


@pytest.mark.parametrize("change", [another_readme, half_a_readme, no_readme])
def test_a_folder_of_backups_is_known_by_its_readme_or_without_one_by_a_backup(copy, change):
    change(copy)
    (copy / "a note").write_text("of the operator's")
    with BackupFolder.for_writing(copy) as folder:
        assert len(folder.names()) == 2
    assert (copy / "README.txt").read_text() == README


def test_a_disk_that_is_too_small_is_told_before_anything_is_copied(source, tmp_path):
    small = place(source.env, tmp_path, ETL_MIN_FREE_BYTES=str(10**15))
    small.stores.close()
    with pytest.raises(NoRoomError, match="ETL_MIN_FREE_BYTES"):
        take_backup(small.settings, tmp_path / "b")
    assert not list((tmp_path / "b" / "objects").iterdir())
    with pytest.raises(BackupFolderError, match="no backup that was finished"):
        check_backup(tmp_path / "b")


def test_old_backups_go_and_take_only_objects_that_no_other_one_names(copy, source):
    stale = copy / "objects" / "P" / "d" / "v1" / "d-000000000000.parquet"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of a backup that was removed")
    others = [copy / "objects" / "precious.gpkg", stale.with_name("d.parquet")]
    for other in others:
        other.write_bytes(b"somebody's")
    first, second = sorted(path.name for path in (copy / "ledger").iterdir())
    report = take_backup(source.settings, copy, keep=2)
    assert report.pruned.backups == (first,)
    assert not stale.exists() and report.pruned.objects == 1
    assert all(other.exists() for other in others), "no run of ours gives such a name"
    whole = check_backup(copy)
    assert whole.backups == (second, report.name)
    assert whole.damages_count == 0 and whole.objects == report.objects


def another_name(index):
    index.write_text(index.read_text().replace(index.parent.name, "2020-01-01T00-00-00Z"))


@pytest.mark.parametrize("act", [cut, Path.unlink, another_name])
def test_a_damaged_index_keeps_nobody_from_the_next_backup(copy, source, target, act):
    first, second = sorted(path.name for path in (copy / "ledger").iterdir())
    act(copy / "ledger" / second / "index.json")
    told = []
    report = take_backup(source.settings, copy, tell=told.append)
    assert any(f"ledger/{second}/index.json" in line for line in told)
    found = check_backup(copy)
    assert found.backups == (first, report.name)
    assert [damage.where for damage in found.damages] == [f"ledger/{second}/index.json"]
    with target.platform() as platform:
        with pytest.raises(DamagedBackupError, match="--backup NAME"):
            restore_backup(platform, copy, Wishes(name=second))
        assert restore_backup(platform, copy, Wishes()).objects_restored == report.objects


def test_pruning_goes_by_a_damaged_index_only_when_its_backup_goes(copy, source):
    first, second = sorted(path.name for path in (copy / "ledger").iterdir())
    cut(copy / "ledger" / second / "index.json")
    with pytest.raises(DamagedBackupError, match="nothing was removed") as caught:
        take_backup(source.settings, copy, keep=2)
    assert f"remove {copy / 'ledger' / second}" in str(caught.value)
    assert "--backup" not in str(caught.value)
    assert (copy / "ledger" / first).is_dir()
    report = take_backup(source.settings, copy, keep=2)
    assert report.pruned.backups == (first, second)
    assert check_backup(copy).damages_count == 0


def test_where_no_index_can_be_read_no_backup_is_put_beside_them(copy, source):
    for index in copy.glob("ledger/*/index.json"):
        cut(index)
    with pytest.raises(BackupFolderError, match="cannot be told whether") as caught:
        take_backup(source.settings, copy)
    assert "--backup" not in str(caught.value) and "index.json" in str(caught.value)
    assert len(list((copy / "ledger").iterdir())) == 2


def test_strangers_beside_the_backups_are_none(copy, source, target):
    ledger, known = copy / "ledger", check_backup(copy).backups
    (ledger / "notes.txt").write_text("which one is for the archive")
    (ledger / "9999-12-31T00-00-00Z").write_text("no folder")
    (ledger / "lost+found").mkdir()
    assert check_backup(copy).backups == known
    report = take_backup(source.settings, copy, keep=1)
    assert report.pruned.backups == known
    with target.platform() as platform:
        assert restore_backup(platform, copy, Wishes()).name == report.name
    assert (ledger / "notes.txt").exists()


def test_a_backup_that_was_given_another_name_keeps_its_objects(copy, source):
    newest(copy).rename(copy / "ledger" / "for the archive")
    before = {path for path in copy.rglob("*") if path.is_file()}
    with pytest.raises(BackupFolderError, match="nothing was removed") as caught:
        take_backup(source.settings, copy, keep=1)
    assert str(copy / "ledger" / "for the archive") in str(caught.value)
    assert before <= {path for path in copy.rglob("*") if path.is_file()}


def test_nothing_is_removed_while_a_list_that_stays_is_damaged(copy, source):
    before = {path for path in copy.rglob("*") if path.is_file()}
    damaged = newest(copy) / "objects.jsonl"
    flip(damaged)
    with pytest.raises(DamagedBackupError, match="nothing was removed") as caught:
        take_backup(source.settings, copy, keep=2)
    assert damaged.relative_to(copy).as_posix() in str(caught.value)
    assert before <= {path for path in copy.rglob("*") if path.is_file()}
    assert len(list((copy / "ledger").iterdir())) == 3
