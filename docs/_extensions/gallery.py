"""Puts docs/results/README.md, the page of all results, into `results.md`.

`scripts/report.py --gallery=docs/results` makes it, with links relative to its
own folder, and may not have been run yet.
"""

import pathlib
import re
from typing import Any

from sphinx.application import Sphinx

# A link or image that is neither an anchor nor of another site.
LOCAL = re.compile(r"\]\((?!#|\w+:)")


def on_source(app: Sphinx, docname: str, source: list[str]) -> None:
  """Appends the page, less its title."""
  page = pathlib.Path(app.srcdir, "results", "README.md")
  if docname == "results" and page.exists():
    app.env.note_dependency(str(page), docname=docname)
    text = page.read_text(encoding="utf-8").partition("\n")[2]
    source[0] += LOCAL.sub("](results/", text)


def setup(app: Sphinx) -> dict[str, Any]:
  """Connects it."""
  app.connect("source-read", on_source)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
