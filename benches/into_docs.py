"""Puts the sections of the last `make bench` into docs/performance.md, between the marks of each."""
import os
import pathlib
import re

root = pathlib.Path(__file__).resolve().parent.parent
target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
page = root / "docs" / "performance.md"


def section(mark):
    file = target / "bench" / "sections" / f"{mark[1]}.md"
    if not file.exists():
        return mark[0]
    # The page has headings of its own.
    text = file.read_text().split("\n", 1)[1].strip()
    return f"<!-- bench {mark[1]}: begin -->\n{text}\n<!-- bench {mark[1]}: end -->"


marks = re.compile(r"<!-- bench (\S+): begin -->.*?<!-- bench \1: end -->", re.DOTALL)
page.write_text(marks.sub(section, page.read_text()))
