"""A dry run as lines and tables for people."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.experiment.dry_run.estimate import DryRun, Estimate, Program
from bnjax.lab.experiment.progress import duration
from bnjax.lab.report.render import Table, plain

_FEW = 4  # values of an axis that are all shown
_KEPT = "\N{NO-BREAK SPACE}"  # which `plain` leaves in no text


def to_tables(dry: DryRun) -> list[Table]:
  """The programs and the time."""
  tables = [_programs(dry)]
  return tables if dry.estimate is None else [*tables, _time(dry.estimate)]


def flatten(spec: Mapping[str, Any], path: str = "") -> dict[str, str]:
  """A specification as text, by dotted field.

  >>> flatten({"norm": {"name": "none"}, "l2": 1e-05})
  {'norm.name': 'none', 'l2': '1e-05'}
  """
  flat: dict[str, str] = {}
  for key, value in spec.items():
    if isinstance(value, Mapping) and value:
      flat |= flatten(value, f"{path}{key}.")
    else:
      flat[path + key] = str(value) if value != "" else "''"
  return flat


def config_lines(dry: DryRun, width: int = 80) -> list[str]:
  """The resolved config: what all arms have, and what each has of its own."""
  flat = {
    arm: flatten(spec) | {f: axis(v) for f, v in dry.axes[arm].items()}
    for arm, spec in dry.arms.items()
  }
  first = next(iter(flat.values()))
  common = {
    field: value
    for field, value in first.items()
    if all(own.get(field) == value for own in flat.values())
  }
  lines = _paragraph("every arm", common, width)
  for arm, own in flat.items():
    other = {f: v for f, v in own.items() if f not in common}
    lines += _paragraph(plain(arm), other, width)
  return lines


def axis(values: Sequence[Any]) -> str:
  """The values of a field over the points, or from where to where they are.

  >>> axis((0.1, 1.0)), axis((1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0))
  ('(0.1, 1.0)', '0.001..100.0 (6 values)')
  """
  numbers = [v for v in values if isinstance(v, int | float)]
  if len(values) > _FEW and len(numbers) == len(values):
    return f"{min(numbers)}..{max(numbers)} ({len(values)} values)"
  shown = ", ".join(map(str, values))
  return f"({shown})" if len(values) > 1 else shown


def _paragraph(name: str, flat: Mapping[str, str], width: int) -> list[str]:
  """Lines of pairs; none is broken at a space of its own."""
  pairs = [f"{field}={plain(value)}" for field, value in flat.items()]
  lines = textwrap.wrap(
    " ".join(pair.replace(" ", _KEPT) for pair in pairs),
    width,
    initial_indent="  ",
    subsequent_indent="  ",
    break_long_words=False,
    break_on_hyphens=False,
  )
  return [name, *(line.replace(_KEPT, " ") for line in lines)]


def _programs(dry: DryRun) -> Table:
  rows = [
    (
      str(number),
      ", ".join(program.arms),
      _parts(program),
      f"{program.parameters:,}",
      scaled(program.step_flops, "FLOP"),
      scaled(program.bytes, "B"),
    )
    for number, program in enumerate(dry.programs, 1)
  ]
  columns = (
    "program",
    "arms",
    "networks",
    "parameters",
    "step and network",
    "memory, at most",
  )
  networks = sum(program.networks for program in dry.programs)
  notes = (
    f"{networks} networks; data sets {scaled(dry.data_bytes, 'B')} besides",
    "parameters and FLOPs are one network's; FLOPs as XLA counts them in the "
    "program before it optimizes it",
    "memory: an upper bound by shapes, were nothing fused or freed",
  )
  return Table("Programs to compile", columns, tuple(rows), notes)


def _parts(program: Program) -> str:
  text = " + ".join(
    f"{turns} times {size}" if turns > 1 else str(size)
    for size, turns in Counter(program.parts).items()
  )
  fields = ", ".join(field.rpartition(".")[2] for field in program.fields)
  return f"{text} ({fields})" if fields else text


def _time(estimate: Estimate) -> Table:
  timing = estimate.timing
  each = timing.step_seconds * timing.networks
  rows = (
    ("compilation", duration(estimate.compilation)),
    ("training", duration(estimate.training)),
    ("evaluation", duration(estimate.evaluation)),
    ("all", duration(estimate.seconds)),
  )
  notes = (
    f"measured: {timing.steps} steps of program {estimate.timed + 1} with "
    f"{timing.networks} networks on random images, {each:.3g} s a step",
    "the rest is computed from that: other programs by their FLOPs, each "
    "compiled in the same time, less where it was before; reading data and "
    "probes are left out",
  )
  return Table("Time, a rough estimate", ("what", "about"), rows, notes)


def scaled(number: float, unit: str) -> str:
  """A number with its unit, to three digits.

  >>> scaled(1234567, "B"), scaled(10, "FLOP")
  ('1.23 MB', '10 FLOP')
  """
  for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
    if number >= size:
      return f"{number / size:.3g} {prefix}{unit}"
  return f"{number:.3g} {unit}"
