"""The tables of a summary: results, and losses beside published ones."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.report.claims import claims_table
from bnjax.lab.report.grid_tables import grid_tables
from bnjax.lab.report.numbers import (
  bound_notes,
  format_compared,
  format_interval,
  format_margin,
  format_published,
  format_ratio,
  format_result,
  format_spread,
  format_value,
)
from bnjax.lab.report.render import NONE, TIMES, Table
from bnjax.lab.report.wording import plural, span
from bnjax.lab.results.names import words

Summary = Mapping[str, Any]
Entries = Sequence[Mapping[str, Any]]

# The metric whose result every arm shows, published or not.
_HEADLINE = ("test_accuracy", "validation_accuracy", "test_loss", "loss")


def summary_tables(summary: Summary) -> list[Table]:
  """Every table of a summary that has rows, in the order of reading."""
  more = [claims_table(summary), *layer_tables(summary), *_curves(summary)]
  return main_tables(summary, more)


def main_tables(summary: Summary, more: Sequence[Table] = ()) -> list[Table]:
  """The tables of what was measured at the end, and more, which have rows.

  Above the first one is the run's title.
  """
  tables = [_results(summary), *grid_tables(summary), *more]
  tables = [table for table in tables if table.rows]
  if not tables:
    return []
  first = tables[0]
  title = _title(summary)
  if first.title:
    title += f": {first.title[:1].lower()}{first.title[1:]}"
  said = [*first.notes, *summary["notices"], *summary["notes"]]
  notes = dict.fromkeys([*_notes(summary), *said])
  return [
    dataclasses.replace(first, title=title, notes=tuple(notes)),
    *tables[1:],
  ]


def _dataset_lines(summary: Summary) -> list[str]:
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
  return next((metric for metric in _HEADLINE if metric in found), None)


def _last(summary: Summary, entry: Mapping[str, Any]) -> int:
  """The last step at which the entry's arm has the entry's metric."""
  return max(
    other["step"]
    for other in summary["entries"]
    if (other["arm"], other["metric"]) == (entry["arm"], entry["metric"])
  )


def _title(summary: Summary) -> str:
  steps = [entry["step"] for entry in shown_entries(summary)]
  steps = steps or [grid["step"] for grid in summary.get("grids") or []]
  if not steps:
    return str(summary["title"])
  return f"{summary['title']} (after {span(steps)} steps)"


def _notes(summary: Summary) -> list[str]:
  """What has to be known to read the first table."""
  notes = _dataset_lines(summary)
  seeds = sorted({entry["seeds"] for entry in summary["entries"]})
  if not seeds:
    return notes
  many = plural(seeds[0], "seed") if len(seeds) == 1 else "seeds"
  notes.append(
    f"mean ± standard deviation over {many} "
    "(divided by n, as published); brackets: 95% Student t interval; diverged "
    "runs are among the seeds"
  )
  return notes


def _results(summary: Summary) -> Table:
  headline = headline_metric(summary)
  entries = shown_entries(summary)
  several = any(entry["metric"] != headline for entry in entries)
  published = any(entry["published"] for entry in entries)
  result = "result" if several or not headline else words(headline)
  shown = {
    "metric": several,
    "step": len({entry["step"] for entry in entries}) > 1,
    "seeds": len({entry["seeds"] for entry in entries}) > 1,
    "diverged": any(entry["diverged"]["count"] for entry in entries),
  }
  rows = []
  for entry in entries:
    row = {
      "arm": entry["arm"],
      "metric": words(entry["metric"]),
      "step": f"{entry['step']:,}",
      result: _result(entry),
      "95% interval": format_interval(entry["metric"], entry["interval"]),
      "seeds": str(entry["seeds"]),
      "diverged": str(entry["diverged"]["count"]),
      **(beside(entry) if published else {}),
    }
    rows.append({k: cell for k, cell in row.items() if shown.get(k, True)})
  notes = [*_what_happened(entries), *bound_notes(entries)]
  return Table.of("", rows, [*notes, *reasons(entries), *sources(entries)])


def beside(entry: Mapping[str, Any]) -> dict[str, str]:
  """What is published of an entry, and how ours compares with it."""
  metric, published = entry["metric"], entry["published"]
  return {
    "published": format_published(metric, published) if published else NONE,
    "difference [95%]": format_compared(entry),
    "margin": format_margin(entry),
    "verdict": entry["verdict"] or NONE,
  }


def _result(entry: Mapping[str, Any]) -> str:
  """A result, and its ratio to another arm's where that is published."""
  text, other = format_result(entry), (entry["published"] or {})
  if other.get("relative_to") is None or entry["ratio"] is None:
    return text
  return f"{text}: {format_ratio(entry['ratio'], entry['ratio_interval'])}"


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
  """Why numbers cannot be compared or are undecided, a line a reason."""
  found: dict[str, list[str]] = {}
  for entry in entries:
    if entry["reason"]:
      reason = f"{entry['verdict']}: {entry['reason']}"
      found.setdefault(reason, []).append(entry["arm"])
  return [
    f"{reason} ({', '.join(dict.fromkeys(arms))})"
    for reason, arms in found.items()
  ]


def sources(entries: Entries) -> list[str]:
  """Where numbers were published, a line a source."""
  published = [entry["published"] for entry in entries if entry["published"]]
  return [
    f"published: {source}"
    for source in dict.fromkeys(rule["source"] for rule in published)
  ]


def layer_tables(summary: Summary) -> list[Table]:
  """The tables of layers that the config asks for."""
  tables = []
  for found in summary.get("layers") or []:
    probe = found["probe"]
    arms = found["arms"]
    rows = [
      (layer, *(format_value(probe, own[place]) for own in arms.values()))
      for place, layer in enumerate(found["layers"])
    ]
    mean = "geometric mean" if found["geometric"] else "mean"
    notes = [f"{mean} of {plural(found['seeds'], 'seed')}"]
    title = found["title"] or words(probe)
    if found["step"] is not None:
      title += f" (step {found['step']:,})"
    # An arm may have any name, also one of another column's.
    tables.append(Table(title, ("layer", *arms), tuple(rows), tuple(notes)))
  return tables


def _curves(summary: Summary) -> list[Table]:
  """One table per published curve that ours has steps of."""
  tables = []
  for line in summary["curves"]:
    if not any(point["seeds"] for point in line["points"]):
      continue  # A short run reached none of the published steps.
    metric = line["metric"]
    parts = [p for p in ("data_loss", "l2_loss") if p in line["points"][0]]
    rows = [
      {
        "step": f"{point['step']:,}",
        f"{words(metric)}, ours": format_spread(
          metric, point["ours"], point["std"]
        ),
        "published": format_value(metric, point["published"]),
        **{words(part): format_value(metric, point[part]) for part in parts},
      }
      for point in line["points"]
    ]
    notes = [f"published: {line['source']}"] if line["source"] else []
    if line["dataset"] and line["dataset"] != line["measured_on"]:
      notes.append(
        f"cannot be compared: measured on {line['measured_on']}, published on "
        f"{line['dataset']}"
      )
    if parts:
      notes.append("loss = data loss + L2 loss, as published")
    title = f"{line['arm']}: {words(metric)} beside the published one"
    tables.append(Table.of(title, rows, notes))
  return tables
