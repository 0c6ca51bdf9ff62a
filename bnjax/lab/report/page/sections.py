"""The parts of the page that are written rather than drawn."""

import base64
import dataclasses
import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt

from bnjax.lab.report.claims import claims_table, tally
from bnjax.lab.report.page.arms import differences
from bnjax.lab.report.page.experiment import Experiment
from bnjax.lab.report.render import Table, plain, to_html
from bnjax.lab.report.tables import summary_tables

# The drawn parts: their key in the data, heading, and what is to be said.
PARTS = (
  ("values", "Every seed, interval and published number", ""),
  ("curves", "Curves", ""),
  ("fields", "Over a setting", ""),
  ("heat_map", "Map of the grid", ""),
  ("layers", "Layer by layer", ""),
  ("histograms", "Histograms", ""),
  ("percentiles", "Percentiles over training", ""),
  (
    "predictions",
    "What each arm says of each image",
    "Each arm's prediction is the class of the highest probability, averaged "
    "over its seeds; its confidence is that probability. Disagreement is half "
    "the sum of the absolute differences of two arms' probabilities: 0 where "
    "they agree, 1 where they exclude each other.",
  ),
)


def anchor(place: int) -> str:
  """The id of an experiment's section."""
  return f"experiment-{place + 1}"


def section(
  one: Experiment, name: str, data: Mapping[str, Any], *, several: bool
) -> str:
  """Everything of one experiment.

  Args:
    one: the experiment.
    name: the section's id.
    data: what its scripts draw.
    several: whether it has others beside it, and a heading of its own.
  """
  level = 3 if several else 2
  heading = f"<h2>{_text(one.title)}</h2>\n" if several else ""
  claims, first, rest = _tables(one.summary)
  head = [_warning(line) for line in [*one.notices, *one.summary["notices"]]]
  head += [MarkdownIt("commonmark", {"html": False}).render(one.finding)]
  head += [to_html(table, level) for table in (claims, first) if table.rows]
  drawn = [
    _part(name, key, title, note, level)
    for key, title, note in PARTS
    if data.get(key)
  ]
  if one.picture and data.get("predictions"):
    drawn.append(_pieces(name, one.picture))
  toolbar = '<div class="toolbar" data-part="arms"></div>\n' if drawn else ""
  tail = [_picture(path.name, path.read_bytes()) for path in one.figures]
  tail += [_folded(table) for table in rest]
  tail += [_settings(one, level), _how(one, level)]
  return (
    f'<section class="experiment" id="{name}">\n{heading}{"".join(head)}'
    f"{toolbar}{''.join(drawn)}{''.join(tail)}</section>"
  )


def overview(experiments: Sequence[Experiment]) -> str:
  """A line an experiment: how its numbers and claims fared."""
  rows = []
  for place, one in enumerate(experiments):
    entries = [e for e in one.summary["entries"] if e["published"]]
    link = f'<a href="#{anchor(place)}">{_text(one.title)}</a>'
    cells = (link, _text(tally(entries)), _text(tally(one.summary["claims"])))
    rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
  head = "".join(
    f"<th>{text}</th>" for text in ("experiment", "published numbers", "claims")
  )
  return (
    '<nav aria-label="Experiments"><div class="wide"><table>\n'
    f"<thead><tr>{head}</tr></thead>\n<tbody>{''.join(rows)}</tbody></table></div></nav>"
  )


def _tables(summary: Mapping[str, Any]) -> tuple[Table, Table, list[Table]]:
  """The claims, the results, and the other tables."""
  claims = claims_table(summary)
  others = [t for t in summary_tables(summary) if t.rows != claims.rows]
  if not others:
    return claims, Table("", (), ()), []
  what = others[0].title.removeprefix(str(summary["title"]))
  results = dataclasses.replace(others[0], title=f"Results{what}")
  if not claims.rows:
    return claims, results, others[1:]
  return claims, results, others[1:]


def _part(name: str, key: str, title: str, note: str, level: int) -> str:
  said = f'<p class="notes">{_text(note)}</p>\n' if note else ""
  return (
    f'<section class="part" data-part="{key}" aria-labelledby="{name}-{key}">\n'
    f'<h{level} id="{name}-{key}">{title}</h{level}>\n{said}</section>\n'
  )


def _picture(name: str, content: bytes) -> str:
  data = base64.b64encode(content).decode("ascii")
  alt = _text(f"figure: {name.removesuffix('.png').replace('_', ' ')}")
  return (
    f'<figure><img alt="{alt}" loading="lazy" '
    f'src="data:image/png;base64,{data}"></figure>\n'
  )


def _pieces(name: str, picture: bytes) -> str:
  """The picture that every image of the predictions is a piece of."""
  data = base64.b64encode(picture).decode("ascii")
  return (
    f"<style>#{name} .picture {{ background-image: "
    f'url("data:image/png;base64,{data}") }}</style>\n'
  )


def _folded(table: Table) -> str:
  """A table under its title, to unfold."""
  inside = to_html(dataclasses.replace(table, title=""))
  return (
    f"<details><summary>{_text(table.title)}</summary>\n{inside}</details>\n"
  )


def _settings(one: Experiment, level: int) -> str:
  """Where the arms differ, and the whole config to unfold."""
  config = one.records.config
  table = differences(config)
  text = json.dumps(config, indent=2, ensure_ascii=False)
  none = "<p>They do not differ.</p>\n"
  drawn = to_html(table, level) if table.rows else none
  return (
    f"<h{level}>How the arms differ</h{level}>\n{drawn}"
    "<details><summary>The whole config</summary>\n"
    f"<pre>{html.escape(text)}</pre></details>\n"
  )


def _how(one: Experiment, level: int) -> str:
  """The command that runs it again, and what it ran on."""
  environment = one.records.environment
  command = plain(str(environment.get("command") or ""))
  block = (
    f'<pre class="command" tabindex="0">{html.escape(command)}</pre>\n'
    if command
    else ""
  )
  listed = "".join(
    f"<dt>{_text(key)}</dt><dd>{_text(text)}</dd>\n"
    for key, text in facts(environment, one.summary.get("seconds")).items()
    if key != "command"
  )
  return (
    f"<h{level}>How to run it again</h{level}>\n{block}<dl>\n{listed}</dl>\n"
  )


def facts(
  environment: Mapping[str, Any], seconds: float | None
) -> dict[str, str]:
  """The environment as lines of text: what it takes to run it again."""
  found = {
    str(key).replace("_", " "): (
      ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    )
    for key, value in environment.items()
    if key != "datasets" and value is not None
  }
  if seconds is not None:
    found["seconds of training and compilation"] = f"{seconds:.1f}"
  return found


def _warning(line: str) -> str:
  return f'<p class="warning">{_text(line)}</p>\n'


def _text(value: str) -> str:
  return html.escape(plain(value))
