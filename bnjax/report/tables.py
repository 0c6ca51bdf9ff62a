"""The tables of a summary: results, losses beside published ones, claims."""

from collections.abc import Mapping
from typing import Any

from bnjax.report.numbers import (
  format_difference,
  format_interval,
  format_spread,
  format_value,
  words,
)
from bnjax.report.render import NONE, Table

MINUS = "\N{MINUS SIGN}"
Summary = Mapping[str, Any]

# The metric whose result every arm shows, published or not.
HEADLINE = ("test_accuracy", "validation_accuracy", "test_loss", "loss")


def summary_tables(summary: Summary) -> list[Table]:
  """Every table of a summary that has rows, in the order of reading."""
  tables = [_results(summary), _claims(summary), *_curves(summary)]
  return [table for table in tables if table.rows]


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


def _results(summary: Summary) -> Table:
  found = {entry["metric"] for entry in summary["entries"]}
  headline = next((metric for metric in HEADLINE if metric in found), None)
  entries = [
    entry
    for entry in summary["entries"]
    if entry["metric"] == headline or entry["published"]
  ]
  several = len({entry["metric"] for entry in entries}) > 1
  notes = dataset_lines(summary)
  if headline:
    notes.append(
      "mean ± standard deviation over seeds (divided by n, as published); "
      "brackets: 95% Student t interval; diverged runs are among the seeds"
    )
  reasons: dict[str, list[str]] = {}
  for entry in entries:
    if entry["reason"]:
      reasons.setdefault(entry["reason"], []).append(entry["arm"])
    for run in entry["diverged"]["runs"]:
      notes.append(
        f"{entry['arm']}: seed {run['seed']} diverged at step {run['step']}"
      )
  for reason, arms in reasons.items():
    notes.append(f"cannot be compared: {reason} ({', '.join(arms)})")
  for source in dict.fromkeys(
    entry["published"]["source"] for entry in entries if entry["published"]
  ):
    notes.append(f"published: {source}")
  notes += [*summary["notices"], *summary["notes"]]
  result = "result" if several or not headline else words(headline)
  columns = ["arm", *(["metric"] if several else []), result, "95% interval"]
  columns += ["seeds", "diverged", "published", "difference", "verdict"]
  rows = tuple(_result_row(entry, several) for entry in entries)
  steps = sorted({entry["step"] for entry in entries})
  title = summary["title"]
  if steps:
    span = " to ".join(f"{s:,}" for s in dict.fromkeys((steps[0], steps[-1])))
    title += f" (after {span} steps)"
  return Table(title, tuple(columns), rows, tuple(dict.fromkeys(notes)))


def _result_row(entry: Mapping[str, Any], several: bool) -> tuple[str, ...]:
  metric, published = entry["metric"], entry["published"]
  result = format_spread(metric, entry["mean"], entry["std"])
  if entry["finite"] < entry["seeds"]:
    result += f" ({entry['finite']} of {entry['seeds']} finite)"
  return (
    entry["arm"],
    *([words(metric)] if several else []),
    result,
    format_interval(metric, entry["interval"]),
    str(entry["seeds"]),
    str(entry["diverged"]["count"]),
    format_spread(metric, published["mean"], published["std"])
    if published
    else NONE,
    format_difference(
      metric, entry["difference"], entry["difference_interval"]
    ),
    entry["verdict"] or NONE,
  )


def _claims(summary: Summary) -> Table:
  rows, notes = [], []
  for claim in summary["claims"]:
    metric, margin = claim["metric"], claim["margin"]
    rule = {
      "greater": f"> {margin:g}",
      "less": f"< {-margin or 0:g}",
      "within": f"within ±{margin:g}",
    }
    rows.append(
      (
        claim["text"],
        f"{words(metric)}: {claim['arm']} {MINUS} {claim['versus']}",
        rule[claim["direction"]],
        format_difference(metric, claim["difference"], claim["interval"]),
        str(claim["seeds"]),
        claim["verdict"],
      )
    )
    if claim["reason"]:
      notes.append(f"cannot be compared: {claim['text']}: {claim['reason']}")
  columns = ("claim", "difference of", "rule", "measured", "seeds", "verdict")
  return Table(
    "Claims, judged seed by seed", columns, tuple(rows), tuple(notes)
  )


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
