"""The sections of the page of all experiments, as Markdown."""

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.errors import plain
from bnjax.lab.report.claims import (
  by_luck,
  compared,
  holm_text,
  measured_text,
  p_text,
  rule_text,
  statement,
  tally,
)
from bnjax.lab.report.files import is_own
from bnjax.lab.report.grid_tables import grid_tables
from bnjax.lab.report.numbers import (
  format_compared,
  format_margin,
  format_published,
  format_ratio,
  format_result,
)
from bnjax.lab.report.page.experiment import Experiment
from bnjax.lab.report.render import NONE, Table, escape_markdown, to_markdown
from bnjax.lab.report.tables import (
  layer_tables,
  reasons,
  shown_entries,
  sources,
)
from bnjax.lab.results.names import words
from bnjax.lab.results.verdicts import HOLDS


def contents(found: Sequence[Experiment]) -> str:
  """A line an experiment, with how its numbers and claims fared."""
  rows = []
  for one in found:
    entries = [e for e in one.summary["entries"] if e["published"]]
    link = f"[{escape_markdown(one.title)}](#{_anchor(one)})"
    rows.append((link, tally(entries), tally(one.summary["claims"])))
  lines = ["| experiment | published numbers | claims |", "| --- | --- | --- |"]
  lines += [f"| {' | '.join(row)} |" for row in rows]
  return "\n".join(lines) + "\n"


def _anchor(one: Experiment) -> str:
  """What GitHub calls the section."""
  kept = re.sub(r"[^\w\- ]", "", one.title.lower())
  return kept.replace(" ", "-")


def section(one: Experiment) -> str:
  """What an experiment found: text, tables, claims, figures, its command."""
  lines = [f"## {escape_markdown(one.title)}", ""]
  if one.finding:
    lines += [one.finding.strip(), ""]
  for notice in one.summary["notices"]:
    lines += [f"> **{escape_markdown(notice)}**", ""]
  lines += [_table(table) for table in _tables(one.summary)]
  lines += _claims(one.summary)
  lines += [_folded(table) for table in layer_tables(one.summary)]
  lines += [_picture(one, path) for path in _pictures(one)]
  lines += _how(one)
  return "\n".join(lines)


def _pictures(one: Experiment) -> list[str]:
  """Its figures' files: as the rules list them, any others after them."""
  names = [f"{name}.png" for name in one.asked]
  there = [p.name for p in sorted(one.folder.glob("*.png")) if is_own(p)]
  return [n for n in names if n in there] + [n for n in there if n not in names]


def _picture(one: Experiment, name: str) -> str:
  text = escape_markdown(f"{one.title}: {name.removesuffix('.png')}")
  return f"![{text}]({urllib.parse.quote(f'{one.folder.name}/{name}')})\n"


def _table(table: Table) -> str:
  """A table with its title as a line, not as a section."""
  heading, _, rest = to_markdown(table).partition("\n")
  return f"**{heading.removeprefix('### ')}**\n{rest}"


def _folded(table: Table) -> str:
  """A long table with its title, shown when asked for."""
  heading, _, rest = to_markdown(table).partition("\n")
  title = heading.removeprefix("### ")
  return f"<details>\n<summary>{title}</summary>\n{rest}\n</details>\n"


def _tables(summary: Mapping[str, Any]) -> list[Table]:
  """A narrow table a metric: ours, published, verdict."""
  groups: dict[str, list[Mapping[str, Any]]] = {}
  for entry in shown_entries(summary):
    groups.setdefault(entry["metric"].partition("@")[0], []).append(entry)
  tables = [_beside(metric, group) for metric, group in groups.items()]
  if summary.get("grids"):
    tables += grid_tables(summary)
  return tables


def _beside(metric: str, entries: Sequence[Mapping[str, Any]]) -> Table:
  published = any(entry["published"] for entry in entries)
  rows = []
  for entry in entries:
    row = [_setting(entry, entries), _ours(entry)]
    if published:
      rule = entry["published"]
      row.append(format_published(entry["metric"], rule) if rule else NONE)
      row += (
        [format_compared(entry), format_margin(entry)] if rule else [NONE] * 2
      )
      row.append(entry["verdict"] or NONE)
    rows.append(tuple(row))
  columns: tuple[str, ...] = ("arm", "ours")
  if published:
    columns += ("published", "difference [95%]", "margin", "verdict")
  seeds = sorted({entry["seeds"] for entry in entries})
  span = " to ".join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
  text = words(metric)
  title = f"{text[:1].upper()}{text[1:]}, {span} seed{'s' * (seeds[-1] > 1)}"
  notes = [*reasons(entries), *sources(entries)]
  return Table(title, columns, tuple(rows), tuple(notes))


def _ours(entry: Mapping[str, Any]) -> str:
  if entry["published"] and entry["published"].get("relative_to"):
    return format_ratio(entry["ratio"], entry["ratio_interval"])
  return format_result(entry)


def _setting(
  entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> str:
  """The arm, and what else tells this entry from the others."""
  rule = entry["published"] or {}
  parts = [rule["setting"]] if rule.get("setting") else []
  if "@" in entry["metric"]:
    parts.append(words(entry["metric"]).partition(" at ")[2])
  if len({other["step"] for other in entries}) > 1:
    parts.append(f"step {entry['step']:,}")
  return entry["arm"] + (f" ({', '.join(parts)})" if parts else "")


def _claims(summary: Mapping[str, Any]) -> list[str]:
  lines = []
  for claim in summary["claims"]:
    text = f"{compared(claim)}: {measured_text(claim)}, rule {rule_text(claim)}"
    if claim["p_holm"] is not None:
      text += f", p {p_text(claim)}"
    if claim.get("published"):
      text += f"; published: {claim['published']}"
    if claim["reason"]:
      text += f"; {claim['reason']}"
    lines.append(
      f"- *{claim['verdict']}*: {escape_markdown(statement(claim))}\n"
      f"  ({escape_markdown(text)})"
    )
  if text := holm_text(summary["claims"]):
    lines.append(f"\n{escape_markdown(text)}.")
  return ["**Claims**\n", *lines, ""] if lines else []


def _how(one: Experiment) -> list[str]:
  """The command that runs it again, and what it took."""
  environment = one.records.environment
  command = str(environment.get("command", ""))
  command = plain(re.sub(r" --(workdir|data_dir)[= ]\S+", "", command))
  # No run of backticks in it ends the block.
  runs = map(len, re.findall("`+", command))
  fence = "`" * max(3, 1 + max(runs, default=0))
  devices = ", ".join(map(str, environment.get("devices") or []))
  parts = [f"{environment.get('cpus')} CPU cores"]
  if environment.get("backend") not in (None, "cpu"):
    parts.insert(0, devices)
  seconds = one.summary.get("seconds")
  took = f"{_duration(seconds)} on " if seconds is not None else "On "
  versions = f"jax {environment.get('jax')}, {environment.get('platform')}"
  when = str(environment.get("started", ""))[:10]
  line = f"{took}{', '.join(parts)}; {versions}; {when}".rstrip("; ")
  block = [f"{fence}console", command, fence, ""] if command else []
  return [*block, escape_markdown(line) + ".", ""]


def _duration(seconds: float) -> str:
  if seconds < 120:
    return f"{seconds:.0f} s"
  return f"{seconds / 60:.0f} min"


def honest(found: Sequence[Experiment]) -> str:
  """All that does not hold, is undecided or cannot be compared."""
  lines = ["## What does not hold, and what cannot be compared", ""]
  count = len(lines)
  for one in found:
    for entry in one.summary["entries"]:
      if entry["published"] and entry["verdict"] != HOLDS:
        lines.append(_bad_number(one, entry))
    for claim in one.summary["claims"]:
      verdict, reason = claim["verdict"], claim["reason"]
      if by_luck(claim):
        verdict, reason = f"{HOLDS} alone", f"p with Holm's {p_text(claim)}"
      if verdict != HOLDS:
        text = f"{statement(claim)}: {measured_text(claim)}"
        text += f" ({reason})" if reason else ""
        lines.append(_bad(one, verdict, text))
    for notice in one.summary["notices"]:
      lines.append(_bad(one, "unfinished", notice))
  if len(lines) == count:
    lines.append("Nothing.")
  return "\n".join(lines) + "\n"


def _bad_number(one: Experiment, entry: Mapping[str, Any]) -> str:
  rule, metric = entry["published"], entry["metric"]
  text = (
    f"{_setting(entry, [entry])}, {words(metric)}: ours {_ours(entry)}, "
    f"published {format_published(metric, rule)}, difference "
    f"{format_compared(entry)}, margin {format_margin(entry)}"
  )
  if entry["reason"]:
    text += f" ({entry['reason']})"
  return _bad(one, entry["verdict"], text)


def _bad(one: Experiment, verdict: str, text: str) -> str:
  return (
    f"- [{escape_markdown(one.title)}](#{_anchor(one)}): *{verdict}*:\n"
    f"  {escape_markdown(text)}"
  )
