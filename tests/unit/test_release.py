"""One version, wherever a reader may meet it, and workflows that try what they publish."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import yaml
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from packaging.requirements import Requirement

import saliency_widget

ROOT = Path(__file__).parents[2]


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_every_place_has_the_same_version() -> None:
    """The version is written in the package; the build reads it there, and nothing else that is read has another."""
    version = saliency_widget.__version__
    built = ProjectMetadata(str(ROOT), PluginManager())
    assert "version" not in built.core_raw_metadata, "pyproject.toml has no version of its own"
    assert built.version == version
    assert read_yaml("CITATION.cff")["version"] == version
    for name in ("package.json", "package-lock.json"):
        assert "version" not in json.loads((ROOT / name).read_text(encoding="utf-8"))


def test_the_changelog_begins_with_this_version_on_the_day_that_is_cited() -> None:
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, (version, day), *_ = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", log, re.MULTILINE)
    assert unreleased == ("Unreleased", "")
    assert version == saliency_widget.__version__
    assert day == read_yaml("CITATION.cff")["date-released"]


def test_the_changelog_can_be_read_in_minutes() -> None:
    """The section of a version has fewer than 120 lines."""
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert all(len(section.splitlines()) < 120 for section in re.split(r"^## ", log, flags=re.MULTILINE))


def test_the_quickstart_names_its_packages_as_pep_723_says() -> None:
    """The first cell, whose source is hidden, holds the block that `juv run` reads; it asks for this package."""
    first = nbformat.read(ROOT / "example_notebooks" / "01_quickstart.ipynb", as_version=4).cells[0]
    assert first.cell_type == "code"
    assert first.metadata.jupyter.source_hidden is True
    # The expression of the specification.
    found = re.fullmatch(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$", first.source)
    assert found is not None
    assert found["type"] == "script"
    block = tomllib.loads(
        "".join(line.removeprefix("#").removeprefix(" ") for line in found["content"].splitlines(True))
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert block["requires-python"] == project["requires-python"]
    (asked,) = map(Requirement, block["dependencies"])
    assert asked.name == project["name"]
    assert asked.extras <= project["optional-dependencies"].keys()


def test_nothing_is_published_that_was_not_tried() -> None:
    """The job that publishes waits for the one that runs `make test-dist`, and may do nothing but upload."""
    jobs = read_yaml(".github/workflows/release.yml")["jobs"]
    runs = [step.get("run", "") for step in jobs["build"]["steps"]]
    assert any(line.startswith("make test-dist") for line in runs)
    assert jobs["publish"]["needs"] == "build"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert not any("run" in step or "password" in step.get("with", {}) for step in jobs["publish"]["steps"])
