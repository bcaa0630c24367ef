"""Each Dockerfile copies what is there, starts from a pinned base, and ends as an ordinary user."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(ROOT.glob("services/*/Dockerfile*"))
PINNED = re.compile(r"[a-z0-9./-]+:(?!latest$)[A-Za-z0-9._-]*\d[A-Za-z0-9._-]*")


@pytest.fixture(params=FILES, ids=lambda path: str(path.relative_to(ROOT / "services")))
def instructions(request):
    """(NAME, words) of each instruction; continued lines are one."""
    text = re.sub(r"\\\n", " ", request.param.read_text())
    lines = (line.strip() for line in text.splitlines())
    return [
        (line.split()[0], shlex.split(line)[1:] if not line.startswith(("RUN", "CMD", "ENTRYPOINT"))
         else [line])
        for line in lines if line and not line.startswith("#")
    ]  # fmt: skip


def test_its_base_is_pinned(instructions):
    arguments = dict(words[0].split("=", 1) for name, words in instructions if name == "ARG")
    stages = {words[2] for name, words in instructions if name == "FROM" and len(words) == 3}
    for name, words in instructions:
        if name == "FROM" and words[0] not in stages:
            base = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], words[0])
            assert PINNED.fullmatch(base), base


def test_what_it_copies_is_there_and_gets_into_the_build(instructions):
    kept = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    for name, words in instructions:
        if name != "COPY" or any(word.startswith("--from") for word in words):
            continue
        *sources, _ = [word for word in words if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(fnmatch(source, f"{part}*") for part in kept), f"{source} is ignored"


def test_it_ends_as_a_numbered_user_who_is_not_root(instructions):
    users = [words[0] for name, words in instructions if name == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


def test_packages_come_from_debian_or_from_pinned_files_and_leave_no_lists(instructions):
    for name, words in instructions:
        if name != "RUN":
            continue
        (line,) = words
        assert not re.search(r"curl |wget |git clone|\|\s*(ba)?sh", line), line
        if "apt-get install" in line:
            assert "--no-install-recommends" in line and "rm -rf /var/lib/apt/lists" in line
        if "pip install" in line:
            assert "--no-cache-dir" in line
            files = re.findall(r"--requirement \S*/(requirements\S*\.txt)", line)
            assert files or "--no-deps /build/source" in line
            for file in files:
                assert (ROOT / "services/dagster" / file).is_file()


def test_compose_runs_each_image_as_its_own_user():
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    for name, service in compose["services"].items():
        if "build" in service:
            text = (ROOT / service["build"]["dockerfile"]).read_text()
            assert service["user"] == re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1], name


def test_the_code_image_has_a_target_for_each_purpose():
    text = (ROOT / "services/dagster/Dockerfile.user-code").read_text()
    development, production = re.split(r"^FROM runtime AS production", text, flags=re.MULTILINE)
    assert "AS development" in development
    assert "COPY services/dagster/etl_pipelines" not in development
    assert "COPY services/dagster/etl_pipelines" in production
