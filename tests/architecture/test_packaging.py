"""What a user installs: the wheel, the sdist, the pins."""

import configparser
import email.message
import email.parser
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fairway

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())[
    "project"
]

pytestmark = pytest.mark.standard


@dataclass(frozen=True)
class Distributions:
    """A wheel built from the sdist, as a release does it."""

    wheel: Path
    sdist: Path

    def wheel_names(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def sdist_names(self) -> set[str]:
        with tarfile.open(self.sdist) as archive:
            paths = (Path(member.name) for member in archive if member.isfile())
            return {path.relative_to(path.parts[0]).as_posix() for path in paths}

    def dist_info(self, file: str) -> str:
        info = f"fairway-{fairway.__version__}.dist-info"
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.read(f"{info}/{file}").decode()

    def metadata(self) -> email.message.Message:
        return email.parser.Parser().parsestr(self.dist_info("METADATA"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return Distributions(wheel, sdist)


def pins() -> dict[str, str]:
    """The version of each name in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if not line.startswith("#")]
    return {
        canonicalize_name(requirement.name): str(requirement.specifier)
        for requirement in requirements
    }


def declared() -> list[Requirement]:
    """Every requirement that pyproject.toml names itself."""
    extras = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    return [Requirement(text) for text in texts]


def test_wheel_carries_the_package_whole_and_nothing_else(
    built: Distributions,
) -> None:
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "fairway").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    names = {name for name in built.wheel_names() if ".dist-info/" not in name}

    assert names == package


@pytest.mark.parametrize(
    "pattern",
    [
        r"fairway/py\.typed",
        r"fairway/static/fairway/client\.js",
        r"fairway/management/commands/runserver\.py",
    ],
)
def test_wheel_has_what_is_not_imported_by_name(
    built: Distributions, pattern: str
) -> None:
    assert any(re.fullmatch(pattern, name) for name in built.wheel_names())


def test_wheel_has_the_licence(built: Distributions) -> None:
    assert "BSD 3-Clause License" in built.dist_info("licenses/LICENSE")
    assert built.metadata()["License-Expression"] == "BSD-3-Clause"


@pytest.mark.parametrize(
    "name",
    [
        ".ci/run",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "benchmarks/run.py",
        "constraints.txt",
        "docs/index.md",
        "examples/echo/manage.py",
        "examples/harbour/manage.py",
        "fairway/py.typed",
        "tests/architecture/test_packaging.py",
    ],
)
def test_sdist_has_all_that_make_test_needs(built: Distributions, name: str) -> None:
    assert name in built.sdist_names()


def test_sdist_has_no_leftovers_of_running(built: Distributions) -> None:
    leftover = re.compile(r"(^|/)(__pycache__|\.venv|screenshots)/|\.(pyc|sqlite3)$")

    assert not [name for name in built.sdist_names() if leftover.search(name)]


def test_first_party_plugins_are_entry_points(built: Distributions) -> None:
    parser = configparser.ConfigParser()
    parser.read_string(built.dist_info("entry_points.txt"))

    assert dict(parser["fairway"]) == PROJECT["entry-points"]["fairway"]


def test_entry_points_can_be_loaded() -> None:
    for entry in importlib.metadata.entry_points(group="fairway"):
        assert entry.load().__name__ == PROJECT["entry-points"]["fairway"][entry.name]


def test_metadata_names_python_and_the_extras(built: Distributions) -> None:
    metadata = built.metadata()

    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "redis",
        "sms",
        "webrtc",
        "all",
        "bench",
        "dev",
    }


def test_extra_all_is_every_optional_protocol_and_layer(built: Distributions) -> None:
    texts = built.metadata().get_all("Requires-Dist", [])
    found = {
        extra: {
            requirement.name
            for requirement in map(Requirement, texts)
            if requirement.marker
            and not requirement.marker.evaluate({"extra": ""})
            and requirement.marker.evaluate({"extra": extra})
        }
        for extra in ("redis", "sms", "webrtc", "all")
    }

    assert found["redis"] == {"redis", "hiredis"}
    assert found["sms"] == {"aiohttp", "smpplib", "twilio"}
    assert found["webrtc"] == {"aiortc"}
    # An extra that names others is either kept as one line or spelled out.
    assert found["all"] in (
        {"fairway"},
        found["redis"] | found["sms"] | found["webrtc"],
    )


def test_version_is_written_once(built: Distributions) -> None:
    home = ROOT / "fairway/__init__.py"
    sources = [*ROOT.glob("fairway/**/*.py"), *ROOT.glob("docs/conf.py")]
    sources.append(ROOT / "pyproject.toml")

    written = [
        path for path in sources if f'"{fairway.__version__}"' in path.read_text()
    ]

    assert built.metadata()["Version"] == fairway.__version__
    assert written == [home]


def test_changelog_has_an_entry_for_the_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)

    assert headings[0] == fairway.__version__


def test_constraints_are_exact_and_say_nothing_of_where_from() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pin = re.compile(r'[a-z0-9-]+==[0-9][0-9a-z.]*( ; [a-z_]+ [<>=]+ "[0-9.]+")?')

    odd = [line for line in lines if not line.startswith("#") and not pin.match(line)]
    rest = [line for line in lines if "://" in line or "@" in line or "/" in line]

    assert odd == []
    assert rest == []


@pytest.mark.parametrize("requirement", declared(), ids=lambda each: each.name)
def test_constraints_pin_what_pyproject_names(requirement: Requirement) -> None:
    if requirement.name == PROJECT["name"]:  # the extra that names other extras
        assert requirement.extras
        return

    version = pins()[canonicalize_name(requirement.name)].removeprefix("==")

    assert requirement.specifier.contains(version)


def test_constraints_pin_everything_that_is_pulled_in() -> None:
    """A walk over what is installed, so that a new transitive one is noticed."""
    pinned = pins()
    waiting = [Requirement("fairway[all,dev]")]
    seen: set[tuple[str, str]] = set()
    unpinned = set()

    while waiting:
        wanted = waiting.pop()
        distribution = importlib.metadata.distribution(wanted.name)
        name = canonicalize_name(wanted.name)
        if name != "fairway" and pinned.get(name) != f"=={distribution.version}":
            unpinned.add(f"{name}=={distribution.version}")
        for extra in ("", *wanted.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            waiting += [
                requirement
                for requirement in map(Requirement, distribution.requires or [])
                if requirement.marker is None
                or requirement.marker.evaluate({"extra": extra})
            ]

    assert unpinned == set()


@pytest.mark.parametrize(
    "target",
    ["demo", "test-fast", "test", "test-full", "lint", "docs", "bench", "help"],
)
def test_makefile_has_the_target(target: str) -> None:
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.full
@pytest.mark.timeout(300)
def test_wheel_works_in_a_fresh_environment(
    built: Distributions, tmp_path: Path
) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    constraints = str(ROOT / "constraints.txt")
    code = (
        "import fairway, importlib.metadata, sys;"
        "assert 'twisted' not in sys.modules;"
        "entries = importlib.metadata.entry_points(group='fairway');"
        "print(*sorted(entry.load().__name__ for entry in entries))"
    )

    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    install = [*pip, "install", "-q", "-c", constraints, f"{built.wheel}[redis]"]
    subprocess.run(install, check=True)
    subprocess.run([*pip, "check"], check=True)
    ran = subprocess.run(
        [str(python), "-c", code],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    assert ran.stdout.split() == sorted(PROJECT["entry-points"]["fairway"].values())
