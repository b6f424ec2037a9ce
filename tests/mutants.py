"""Shows that the end-to-end tests notice a wrong build.

Reads tests/mutants.toml. Each mutant is the tree with a few texts replaced. Its binary is built and handed to the
already built end-to-end tests by HOMING_BIN; the tests that the mutant names must fail, after they have passed with
the true binary. The run fails when a mutant survives, no longer fits its code, or does not build.

    python3 tests/mutants.py [NAME ...]      only the mutants of these names
"""

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
WORK = TARGET / "mutants"
# What a build of the binary reads; Cargo also wants the declared benches and tests to be there.
INPUTS = ["src", "deploy", "benches", "tests", "proto", "build.rs", "Cargo.toml", "Cargo.lock", "README.md", "rust-toolchain.toml"]
END_TO_END = "e2e"
# A wrong build may hang a test instead of failing it; that counts as a failure too.
SECONDS_PER_TEST = 180


@dataclass
class Edit:
    file: str
    find: str
    replace: str


@dataclass
class Mutant:
    name: str
    wrong: str
    tests: list[str]
    edits: list[Edit]


class Broken(Exception):
    """The mutant proves nothing: it does not fit its code, or does not build."""


def read_mutants() -> list[Mutant]:
    document = tomllib.loads((ROOT / "tests/mutants.toml").read_text())
    mutants = [
        Mutant(entry["name"], entry["wrong"], entry["tests"], [Edit(**edit) for edit in entry["edit"]])
        for entry in document.get("mutant", [])
    ]
    for mutant in mutants:
        if not mutant.tests or not mutant.edits:
            sys.exit(f"tests/mutants.toml: {mutant.name} needs at least one test and one edit")
    return mutants


def artifacts(arguments: list[str], tree: Path, target: Path) -> list[dict]:
    """Runs cargo in `tree` and returns what it says it built."""
    command = ["cargo", *arguments, "--locked", "--message-format=json-render-diagnostics"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    built = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        raise Broken("does not build")
    return [message for message in map(json.loads, built.stdout.splitlines()) if message["reason"] == "compiler-artifact"]


def executable(built: list[dict], name: str, kind: str) -> Path:
    for artifact in built:
        target = artifact["target"]
        if target["name"] == name and kind in target["kind"] and artifact["executable"]:
            return Path(artifact["executable"])
    raise Broken(f"cargo built no {kind} {name}")


def passes(end_to_end: Path, test: str, binary: Path) -> bool:
    """Whether exactly this test ran with `binary` and passed."""
    environment = {**os.environ, "HOMING_BIN": str(binary)}
    try:
        ran = subprocess.run(
            [end_to_end, "--exact", test, "--test-threads=1"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS_PER_TEST,
        )
    except subprocess.TimeoutExpired:
        return False
    if "running 1 test" not in ran.stdout:
        raise Broken(f"no end-to-end test is called {test}")
    return ran.returncode == 0


def plant(mutant: Mutant, tree: Path) -> None:
    """Copies the build's inputs to `tree`, with times of now so that cargo looks at them again, and applies the edits."""
    for name in INPUTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, copy_function=shutil.copy)
        elif source.is_file():
            shutil.copy(source, tree / name)
    for edit in mutant.edits:
        path = tree / edit.file
        if not path.is_file():
            raise Broken(f"{edit.file} does not exist")
        text = path.read_text()
        if (count := text.count(edit.find)) != 1:
            raise Broken(f"{edit.file} holds {edit.find!r} {count} times, not once")
        path.write_text(text.replace(edit.find, edit.replace))


def verdict(mutant: Mutant, end_to_end: Path) -> list[str]:
    """The tests that the mutant survives; none is what is hoped for."""
    tree = WORK / mutant.name
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    plant(mutant, tree)
    # All mutants share one target folder, so that dependencies build once; the binary moves out of its way.
    built = executable(artifacts(["build", "--bin", "homing"], tree, WORK / "target"), "homing", "bin")
    binary = shutil.copy(built, tree / "homing")
    return [test for test in mutant.tests if passes(end_to_end, test, Path(binary))]


def main() -> int:
    mutants = read_mutants()
    if unknown := set(sys.argv[1:]) - {mutant.name for mutant in mutants}:
        sys.exit(f"no mutant is called {', '.join(sorted(unknown))}")
    mutants = [mutant for mutant in mutants if not sys.argv[1:] or mutant.name in sys.argv[1:]]
    if not mutants:
        sys.exit("tests/mutants.toml names no mutant")

    try:
        end_to_end = executable(artifacts(["test", "--no-run", "--test", END_TO_END], ROOT, TARGET), END_TO_END, "test")
        true_binary = executable(artifacts(["build", "--bin", "homing"], ROOT, TARGET), "homing", "bin")
        for test in sorted({test for mutant in mutants for test in mutant.tests}):
            print(f"  true build: {test}", flush=True)
            if not passes(end_to_end, test, true_binary):
                sys.exit(f"{test} fails with the true build; a mutant could prove nothing by it")
    except Broken as error:
        sys.exit(f"the true build: {error}")

    rows, failed = [], False
    for mutant in mutants:
        print(f"  mutant: {mutant.name}", flush=True)
        started = time.monotonic()
        try:
            survived = verdict(mutant, end_to_end)
            outcome = f"SURVIVED {', '.join(survived)}" if survived else f"caught by {', '.join(mutant.tests)}"
        except Broken as error:
            survived, outcome = [mutant.name], f"BROKEN: {error}"
        failed |= bool(survived)
        rows.append((mutant.name, mutant.wrong, f"{time.monotonic() - started:.0f} s", outcome))

    header = ("mutant", "what is wrong", "took", "outcome")
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(3)]
    print()
    for row in [header, *rows]:
        print("  ".join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[3]]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
