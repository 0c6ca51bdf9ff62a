"""The page as one string of HTML."""

import base64
import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from bnjax.lab.report import claims
from bnjax.lab.report.page.charts import charts
from bnjax.lab.report.page.claims import claimed
from bnjax.lab.report.page.differences import differences
from bnjax.lab.report.page.experiment import Experiment
from bnjax.lab.report.page.points import points
from bnjax.lab.report.page.predictions import predictions
from bnjax.lab.report.render import Table
from bnjax.lab.report.style import KNOWN, NIGHT, looks, night_colors
from bnjax.lab.report.templating import html
from bnjax.lab.results import to_strict

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
GENERATOR = '<meta name="generator" content="bnjax">'  # of a page of ours
MISSING = (
  "plotly is not installed, so the page has no charts: "
  "pip install 'bnjax[report]'"
)


def make_page(experiments: Sequence[Experiment], title: str = "") -> str:
  """Writes the page of a run or of several; it needs no other file.

  Several are put in the order of their titles. Without Plotly installed it has
  the tables alone, and says so.

  Raises:
    ValueError: a figure's options do not fit what was recorded.
  """
  found = sorted(experiments, key=lambda one: one.title.casefold())
  sections = [
    _section(one, f"experiment-{place}")
    for place, one in enumerate(found, start=1)
  ]
  colors = {*NIGHT, *KNOWN.values()}
  most = max(60, *(len(one.run.looks) for one in found))
  colors |= {look.color for look in looks(map(str, range(most))).values()}
  return html().get_template("page.html").render(
    generator=Markup(GENERATOR),
    title=title or found[0].title,
    several=bool(title),
    sections=sections,
    night=night_colors(colors),
    plotly=Markup(plotly()),
    missing=MISSING,
  )  # fmt: skip


@functools.cache
def plotly() -> str:
  """Plotly's script, as its package has it; empty if it is not installed."""
  try:
    from plotly.offline import get_plotlyjs
  except ImportError:
    return ""
  return str(get_plotlyjs())


def _section(one: Experiment, name: str) -> dict[str, Any]:
  """What the template shows of an experiment."""
  drawn = charts(one.run, one.summary) if plotly() else []
  seen = predictions(one.predictions, bool(one.picture), one.run.measured.arms)
  data = {
    "charts": {chart.name: chart.plotly for chart in drawn},
    "predictions": seen,
    "points": points(one.run) if drawn else None,
  }
  tables = _tables(one)
  finding = _MARKDOWN.render(one.finding)
  have = {chart.name for chart in drawn}
  pictures = [
    (each, _base64(content))
    for each, content in one.pictures.items()
    if each not in have
  ]
  main = [chart for chart in drawn if chart.main]
  return {
    "id": name,
    "one": one,
    "claimed": list(claimed(one)),
    "finding": Markup(finding),
    "main": main[0] if main else None,
    "charts": [c for c in drawn if not c.main and not c.more],
    "more": [c for c in drawn if c.more],
    "pictures": pictures,
    "results": tables[0] if tables else None,
    "tables": tables[1:],
    "predictions": seen,
    "points": data["points"],
    "sprite": _base64(one.picture) if seen else "",
    "differences": differences(one.records.config),
    "config": escape(
      json.dumps(one.records.config, indent=2, ensure_ascii=False)
    ),
    "data": to_strict(data),
  }


def _tables(one: Experiment) -> list[Table]:
  """The results and the other tables; claims have a list of their own."""
  judged = claims.claims_table(one.summary)
  others = [table for table in one.tables if table.rows != judged.rows]
  if not others:
    return []
  what = others[0].title.removeprefix(one.title)
  return [dataclasses.replace(others[0], title=f"Results{what}"), *others[1:]]


def _base64(content: bytes) -> str:
  return base64.b64encode(content).decode("ascii")
