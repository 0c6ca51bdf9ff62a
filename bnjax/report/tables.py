"""The tables of a summary: results, losses beside published ones, claims."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bnjax.report.grid_tables import grid_tables
from bnjax.report.numbers import (
  bound_notes,
  format_difference,
  format_interval,
  format_published,
  format_ratio,
  format_result,
  format_spread,
  format_value,
)
from bnjax.report.render import NONE, TIMES, Table
from bnjax.results.names import words
from bnjax.results.verdicts import HOLDS, INCOMPARABLE, UNDECIDED

MINUS = "\N{MINUS SIGN}"
Summary = Mapping[str, Any]
Entries = Sequence[Mapping[str, Any]]

_OPEN = (UNDECIDED, INCOMPARABLE)

# The metric whose result every arm shows, published or not.
HEADLINE = ("test_accuracy", "validation_accuracy", "test_loss", "loss")


def summary_tables(summary: Summary) -> list[Table]:
  """Every table of a summary that has rows, in the order of reading."""
  tables = [
    _results(summary),
    *grid_tables(summary),
    claims_table(summary),
    *layer_tables(summary),
    *_curves(summary),
  ]
  tables = [table for table in tables if table.rows]
  if not tables:
    return []
  first = tables[0]
  title = _title(summary)
  if first.title:
    title += f": {first.title[:1].lower()}{first.title[1:]}"
  notes = dict.fromkeys([*_notes(summary), *first.notes, *_remarks(summary)])
  return [
    dataclasses.replace(first, title=title, notes=tuple(notes)),
    *tables[1:],
  ]


def dataset_lines(summary: Summary) -> list[str]:
  """Names each data set, its split sizes and its digest."""
  lines = []
  for dataset in summary["datasets"]:
    parts = [f"data: {dataset.get('label') or dataset.get('name')}"]
    sizes = [
      f"{split} {dataset[split]:,}"
      for split in ("train", "validation", "test")
      if isinstance(dataset.get(split), int)
    ]
    parts += [", ".join(sizes)] if sizes else []
    parts += [f"digest {dataset['digest']}"] if dataset.get("digest") else []
    lines.append("; ".join(parts))
  return lines or ["data: not recorded"]


def shown_entries(summary: Summary) -> list[Mapping[str, Any]]:
  """The entries that tables list: the headline's, and the published ones.

  What follows from a grid as a whole has a table of its own.
  """
  headline = headline_metric(summary)
  return [
    entry
    for entry in summary["entries"]
    if entry["published"]
    or (entry["metric"] == headline and entry["step"] == _last(summary, entry))
  ]


def headline_metric(summary: Summary) -> str | None:
  """The metric whose result every arm shows; None if none was recorded."""
  found = {entry["metric"] for entry in summary["entries"]}
  return next((metric for metric in HEADLINE if metric in found), None)


def _last(summary: Summary, entry: Mapping[str, Any]) -> int:
  """The last step at which the entry's arm has the entry's metric."""
  return max(
    other["step"]
    for other in summary["entries"]
    if (other["arm"], other["metric"]) == (entry["arm"], entry["metric"])
  )


def _title(summary: Summary) -> str:
  steps = sorted({entry["step"] for entry in shown_entries(summary)})
  steps = steps or sorted({grid["step"] for grid in summary.get("grids") or []})
  if not steps:
    return str(summary["title"])
  span = " to ".join(f"{s:,}" for s in dict.fromkeys((steps[0], steps[-1])))
  return f"{summary['title']} (after {span} steps)"


def _notes(summary: Summary) -> list[str]:
  """What has to be known to read the first table."""
  notes = dataset_lines(summary)
  seeds = sorted({entry["seeds"] for entry in summary["entries"]})
  if not seeds:
    return notes
  text = f"{seeds[0]} seed{'s' if seeds[-1] > 1 else ''}"
  notes.append(
    f"mean ± standard deviation over {text if len(seeds) == 1 else 'seeds'} "
    "(divided by n, as published); brackets: 95% Student t interval; diverged "
    "runs are among the seeds"
  )
  return notes


def _remarks(summary: Summary) -> list[str]:
  """What happened, and the config's own notes."""
  return [*summary["notices"], *summary["notes"]]


def _results(summary: Summary) -> Table:
  headline = headline_metric(summary)
  entries = shown_entries(summary)
  several = any(entry["metric"] != headline for entry in entries)
  steps = len({entry["step"] for entry in entries}) > 1
  columns = ["arm", *(["metric"] if several else [])]
  columns += ["step"] if steps else []
  columns += [
    "result" if several or not headline else words(headline),
    "95% interval",
  ]
  optional = {
    "seeds": len({entry["seeds"] for entry in entries}) > 1,
    "diverged": any(entry["diverged"]["count"] for entry in entries),
    "published": any(entry["published"] for entry in entries),
  }
  columns += [name for name, shown in optional.items() if shown]
  columns += ["difference", "verdict"] if optional["published"] else []
  cells = [_result_row(entry) for entry in entries]
  for row, entry in zip(cells, entries, strict=True):
    row[columns[1 + several + steps]] = format_result(entry)
  rows = tuple(tuple(row[name] for name in columns) for row in cells)
  notes = [*_what_happened(entries), *bound_notes(entries)]
  notes += [*reasons(entries), *sources(entries)]
  return Table("", tuple(columns), rows, tuple(notes))


def _result_row(entry: Mapping[str, Any]) -> dict[str, str]:
  metric, published = entry["metric"], entry["published"]
  difference = format_difference(
    metric, entry["difference"], entry["difference_interval"]
  )
  if published and published.get("relative_to"):
    difference = format_ratio(entry["ratio"], entry["ratio_interval"])
  return {
    "arm": entry["arm"],
    "metric": words(metric),
    "step": f"{entry['step']:,}",
    "95% interval": format_interval(metric, entry["interval"]),
    "seeds": str(entry["seeds"]),
    "diverged": str(entry["diverged"]["count"]),
    "published": format_published(metric, published) if published else NONE,
    "difference": difference,
    "verdict": entry["verdict"] or NONE,
  }


def _what_happened(entries: Entries) -> list[str]:
  notes = []
  for entry in entries:
    for run in entry["diverged"]["runs"]:
      notes.append(
        f"{entry['arm']}: seed {run['seed']} diverged at step {run['step']}"
      )
  if any((e["published"] or {}).get("relative_to") for e in entries):
    notes.append(
      f"{TIMES}: the ratio of two arms, a geometric mean over common seeds"
    )
  return notes


def reasons(entries: Entries) -> list[str]:
  """Why numbers cannot be compared, a line a reason."""
  found: dict[str, list[str]] = {}
  for entry in entries:
    if entry["reason"]:
      found.setdefault(entry["reason"], []).append(entry["arm"])
  return [
    f"cannot be compared: {reason} ({', '.join(dict.fromkeys(arms))})"
    for reason, arms in found.items()
  ]


def sources(entries: Entries) -> list[str]:
  """Where numbers were published, a line a source."""
  published = [entry["published"] for entry in entries if entry["published"]]
  return [
    f"published: {source}"
    for source in dict.fromkeys(rule["source"] for rule in published)
  ]


def claims_table(summary: Summary) -> Table:
  """The claims with their rules, what was measured, and verdicts."""
  claims = summary["claims"]
  several = len({claim["seeds"] for claim in claims}) > 1
  quoted = any(claim.get("published") for claim in claims)
  rows, notes = [], []
  for claim in claims:
    rows.append(
      (
        claim["text"],
        compared(claim),
        rule_text(claim),
        measured_text(claim),
        *([str(claim["seeds"])] if several else []),
        *([claim.get("published") or NONE] if quoted else []),
        claim["verdict"],
      )
    )
    if claim["reason"]:
      notes.append(f"{claim['verdict']}: {claim['text']}: {claim['reason']}")
  columns = [
    "claim",
    "compared",
    "rule",
    "measured",
    *(["seeds"] if several else []),
    *(["published"] if quoted else []),
    "verdict",
  ]
  return Table(
    "Claims, judged seed by seed", tuple(columns), tuple(rows), tuple(notes)
  )


def compared(claim: Mapping[str, Any]) -> str:
  """What is subtracted or divided, in words."""
  sign = "/" if claim["direction"].startswith("ratio") else MINUS
  metric, other = words(claim["metric"]), claim.get("versus_metric")
  versus = claim["versus"]
  if other is None:
    return f"{metric}: {claim['arm']} {sign} {versus}"
  of = f" of {versus}" if versus is not None else ""
  return f"{claim['arm']}: {metric} {sign} {words(other)}{of}"


def rule_text(claim: Mapping[str, Any]) -> str:
  """Where the measured difference or ratio has to lie."""
  margin = claim["margin"]
  factor = margin or 1
  rules = {
    "greater": f"> {margin:g}",
    "less": f"< {-margin or 0:g}",
    "within": f"within ±{margin:g}",
    "ratio_greater": f"> {TIMES}{factor:g}",
    "ratio_less": f"< {TIMES}{1 / factor:.3g}",
  }
  return rules[claim["direction"]]


def measured_text(claim: Mapping[str, Any]) -> str:
  """The difference or ratio with its interval."""
  bound = claim.get("bound") or 0
  if claim["direction"].startswith("ratio"):
    return format_ratio(claim["ratio"], claim["ratio_interval"], bound)
  difference = claim["difference"]
  return format_difference(
    claim["metric"], difference, claim["interval"], bound
  )


def layer_tables(summary: Summary) -> list[Table]:
  """The tables of layers that the config asks for."""
  tables = []
  for found in summary.get("layers") or []:
    probe = found["probe"]
    rows = tuple(
      (
        layer,
        *(format_value(probe, own[place]) for own in found["arms"].values()),
      )
      for place, layer in enumerate(found["layers"])
    )
    mean = "geometric mean" if found["geometric"] else "mean"
    seeds = f"{found['seeds']} seed{'s' if found['seeds'] != 1 else ''}"
    notes = [f"{mean} of {seeds}"]
    title = found["title"] or words(probe)
    if found["step"] is not None:
      title += f" (step {found['step']:,})"
    columns = ("layer", *found["arms"])
    tables.append(Table(title, columns, rows, tuple(notes)))
  return tables


def _curves(summary: Summary) -> list[Table]:
  """One table per published curve that ours has steps of."""
  tables = []
  for line in summary["curves"]:
    if not any(point["seeds"] for point in line["points"]):
      continue  # A short run reached none of the published steps.
    metric = line["metric"]
    parts = [p for p in ("data_loss", "l2_loss") if p in line["points"][0]]
    rows = tuple(
      (
        f"{point['step']:,}",
        format_spread(metric, point["ours"], point["std"]),
        format_value(metric, point["published"]),
        *(format_value(metric, point[part]) for part in parts),
      )
      for point in line["points"]
    )
    heads = ("step", f"{words(metric)}, ours", "published", *map(words, parts))
    notes = [f"published: {line['source']}"] if line["source"] else []
    if line["dataset"] and line["dataset"] != line["measured_on"]:
      notes.append(
        f"cannot be compared: measured on {line['measured_on']}, published on "
        f"{line['dataset']}"
      )
    if parts:
      notes.append("loss = data loss + L2 loss, as published")
    title = f"{line['arm']}: {words(metric)} beside the published one"
    tables.append(Table(title, heads, rows, tuple(notes)))
  return tables


def tally(judged: Iterable[Mapping[str, Any]]) -> str:
  """How many hold; of the others, how many could not be decided.

  >>> tally([{"verdict": "holds"}, {"verdict": "undecided"}])
  '1 of 2 hold, 1 undecided'
  """
  counts = collections.Counter(item["verdict"] for item in judged)
  parts = [f"{counts[kind]} {kind}" for kind in _OPEN if counts[kind]]
  if not counts:
    return NONE
  return ", ".join([f"{counts[HOLDS]} of {counts.total()} hold", *parts])
