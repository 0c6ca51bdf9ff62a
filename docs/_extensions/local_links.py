"""Checks the built site: every link and anchor, and that it needs no network.

Links to other sites cannot be tried without one: they are listed in
`external_links.txt` beside the pages.
"""

import pathlib
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, as opposed to what a reader may follow.
FETCHED = {("img", "src"), ("link", "href"), ("script", "src")}
FETCHED |= {("iframe", "src"), ("source", "src"), ("video", "src")}


class Page(HTMLParser):
  """A page's anchors and links."""

  def __init__(self, text: str) -> None:
    super().__init__()
    self.anchors = {"", "top"}
    self.links: set[tuple[str, str, str]] = set()
    self.feed(text)

  def handle_starttag(
    self, tag: str, attrs: list[tuple[str, str | None]]
  ) -> None:
    """Collects."""
    for name, value in attrs:
      if name in ("id", "name") and value:
        self.anchors.add(value)
      if name in ("href", "src") and value:
        self.links.add((tag, name, value))


def check(site: pathlib.Path) -> tuple[list[str], list[str]]:
  """Returns what is wrong, and the links to other sites.

  Args:
    site: a folder of HTML files.
  """
  pages = {
    path.resolve(): Page(path.read_text(encoding="utf-8"))
    for path in sorted(site.rglob("*.html"))
  }
  wrong, external = [], set()
  for path, page in pages.items():
    here = path.relative_to(site.resolve()).as_posix()
    for tag, attribute, link in sorted(page.links):
      parts = urlsplit(link)
      if parts.scheme == "data":
        continue
      if parts.scheme or parts.netloc:
        if (tag, attribute) in FETCHED:
          wrong.append(f"{here}: fetches {link} from a network")
        external.add(link)
        continue
      target = path
      if parts.path:
        target = (path.parent / unquote(parts.path)).resolve()
      if not target.is_file():
        wrong.append(f"{here}: {link} leads to no file")
      elif target in pages and unquote(parts.fragment) not in (
        pages[target].anchors
      ):
        wrong.append(f"{here}: {link} leads to no such anchor")
  return wrong, sorted(external)


def on_finished(app: Any, exception: Exception | None) -> None:
  """Checks once all pages are written; every fault is a warning."""
  from sphinx.util import logging  # The check itself needs no Sphinx.

  if exception or app.builder.name != "html":
    return
  site = pathlib.Path(app.outdir)
  wrong, external = check(site)
  for message in wrong:
    logging.getLogger(__name__).warning(message)
  text = "".join(link + "\n" for link in external)
  (site / "external_links.txt").write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
  """Checks after each build."""
  app.connect("build-finished", on_finished)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
