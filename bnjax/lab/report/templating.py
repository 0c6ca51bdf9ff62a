"""Templates: of HTML and of Markdown, each with its own escaping."""

import functools
import json
import re
import urllib.parse
from typing import Any

import jinja2
from markupsafe import Markup

from bnjax.lab.errors import plain
from bnjax.lab.report import claims
from bnjax.lab.report.render import TIMES, escape_markdown, markdown_rows


@functools.cache
def html() -> jinja2.Environment:
  """What pages are made from; all text in them is escaped."""
  return _environment(
    autoescape=True, finalize=lambda value: _one_line(value, plain)
  )


@functools.cache
def markdown() -> jinja2.Environment:
  """Likewise for Markdown; what is Markdown already is `Markup`."""
  return _environment(
    autoescape=False, finalize=lambda value: _one_line(value, escape_markdown)
  )


def _one_line(value: Any, escape: Any) -> Any:
  return escape(value) if type(value) is str else value


def _environment(**escaping: Any) -> jinja2.Environment:
  loader = jinja2.PackageLoader("bnjax.lab.report", "templates")
  found = jinja2.Environment(
    loader=loader,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
    **escaping,
  )
  found.globals |= {
    "source": lambda name: Markup(loader.get_source(found, name)[0]),
    "claims": claims,
    "TIMES": TIMES,
  }
  found.filters |= {
    "anchor": anchor,
    "embed": embed,
    "fenced": fenced,
    "quoted": lambda text: Markup(urllib.parse.quote(text)),
    "rows": lambda table: Markup(markdown_rows(table)),
  }
  return found


def anchor(title: str) -> Markup:
  """What GitHub calls the section of a title.

  >>> str(anchor("A test: with *stars*"))
  'a-test-with-stars'
  """
  kept = re.sub(r"[^\w\- ]", "", title.lower())
  return Markup(kept.replace(" ", "-"))


def fenced(text: str, kind: str = "") -> Markup:
  """A block of Markdown that no run of backticks in it ends."""
  runs = map(len, re.findall("`+", text))
  fence = "`" * max(3, 1 + max(runs, default=0))
  return Markup(f"{fence}{kind}\n{text}\n{fence}")


def embed(value: Any) -> Markup:
  r"""JSON that may stand in a script element, whatever strings are in it.

  >>> embed({"arm": "</script>"})
  Markup('{"arm":"\\u003c/script>"}')
  """
  text = json.dumps(value, separators=(",", ":"), allow_nan=False)
  return Markup(text.replace("<", "\\u003c"))
