"""Numbers as tables show them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bnjax.lab.report.render import NONE, TIMES
from bnjax.lab.results.grids import LARGEST
from bnjax.lab.results.names import counts_steps, is_fraction

SIGNS = {1: "≥ ", -1: "≤ ", 0: ""}


def _form(metric: str, value: float) -> str:
  """How a number is written: fractions to 4 digits, others to 3 or so."""
  if is_fraction(metric):
    return ".4f"
  if counts_steps(metric):
    return ",.0f"
  if metric.startswith(LARGEST):  # a value of the config's own
    return ".4g"
  small = value != 0 and abs(value) < 1e-2
  return ".3g" if small or abs(value) >= 1e5 else ".3f"


def format_value(metric: str, value: float | None, sign: str = "") -> str:
  """A number as the tables show it.

  >>> format_value("test_accuracy", 0.88531), format_value("loss", 14.7561)
  ('0.8853', '14.756')
  """
  if value is None:
    return NONE
  return f"{value:{sign}{_form(metric, value)}}"


def format_spread(metric: str, mean: float | None, std: float | None) -> str:
  """A mean with its standard deviation, where there is one."""
  text = format_value(metric, mean)
  if mean is None or std is None:
    return text
  if std <= 1e-12 * abs(mean):
    std = 0.0  # Equal values, but for the rounding of their mean.
  return f"{text} ± {std:{_form(metric, mean)}}"


def format_interval(
  metric: str, bounds: Sequence[float | None] | None, sign: str = ""
) -> str:
  """An interval, in brackets; that of a fraction ends at 0 and 1.

  >>> format_interval("test_accuracy", (-0.198, 0.579))
  '[0.0000, 0.5790]'
  >>> format_interval("loss", (None, 2.5))
  'below 2.500, unbounded'
  """
  if bounds is None:
    return NONE
  if is_fraction(metric) and not sign:
    bounds = [end and min(max(end, 0.0), 1.0) for end in bounds]
  return _interval(bounds, lambda end: format_value(metric, end, sign))


def _interval(
  bounds: Sequence[float | None], form: Callable[[float], str]
) -> str:
  """An interval, or the only end that is known of it."""
  low, high = bounds
  if high is None:
    return NONE if low is None else f"above {form(low)}, unbounded"
  if low is None:
    return f"below {form(high)}, unbounded"
  return f"[{form(low)}, {form(high)}]"


def format_difference(
  metric: str,
  value: float | None,
  bounds: Sequence[float | None] | None,
  bound: int = 0,
) -> str:
  """A difference with its sign and its interval, where there is one.

  >>> format_difference("steps_to:loss<=1", -30.0, None, -1)
  '≤ -30'
  """
  interval = None if bounds is None else format_interval(metric, bounds, "+")
  text = SIGNS[bound] + format_value(metric, value, "+")
  return _beside(text, interval, bound)


def format_ratio(
  value: float | None,
  bounds: Sequence[float | None] | None = None,
  bound: int = 0,
) -> str:
  """A ratio with its interval, where there is one.

  >>> format_ratio(1.3, [1.25, 1.354]), format_ratio(14.8, None, 1)
  ('×1.300 [1.250, 1.354]', '≥ ×14.8')
  >>> format_ratio(2.0, [2.0, None], 1)
  'above ×2.000, unbounded'
  """
  if value is None:
    return NONE
  times = TIMES if bound else ""
  interval = None
  if bounds is not None:
    interval = _interval(bounds, lambda end: times + _factor(end))
  return _beside(f"{SIGNS[bound]}{TIMES}{_factor(value)}", interval, bound)


def _beside(text: str, interval: str | None, bound: int) -> str:
  """A number and its interval; of a bound the interval says it all."""
  if not interval:
    return text
  return interval if bound else f"{text} {interval}"


def format_margin(entry: Mapping[str, Any]) -> str:
  """How far a result may be from the published number.

  >>> format_margin({"metric": "test_accuracy", "room": [-0.01, 0.01],
  ...                "published": {}})
  '±0.0100'
  """
  rule, room = entry["published"], entry["room"]
  if rule is None or room is None:
    return NONE
  low, high = room
  if on_logs(rule):
    if abs(low * high - 1) < 1e-9:
      return f"{TIMES}/÷ {_factor(high)}"
    return f"{TIMES}{_factor(low)} to {TIMES}{_factor(high)}"
  if abs(low + high) <= 1e-9 * abs(high):
    return f"±{format_value(entry['metric'], high)}"
  ends = [format_value(entry["metric"], end, "+") for end in room]
  return " to ".join(ends)


def format_compared(entry: Mapping[str, Any]) -> str:
  """Ours less the published number, or over it, with its interval."""
  rule, bounds = entry["published"], entry["difference_interval"]
  if rule and on_logs(rule):
    return format_ratio(entry["difference"], bounds)
  return format_difference(entry["metric"], entry["difference"], bounds)


def on_logs(rule: Mapping[str, Any]) -> bool:
  """Whether a published number is compared on the log scale."""
  keys = ("relative_to", "factor")
  return any(rule.get(key) is not None for key in keys)


def _factor(value: float) -> str:
  if 0.01 <= abs(value) < 10:
    return f"{value:.3f}"
  return f"{value:.3g}" if abs(value) < 1e5 else f"{value:.1e}"


def format_result(entry: Mapping[str, Any]) -> str:
  """The result of a summary's entry, and what is to be said of its seeds."""
  metric = entry["metric"]
  bounds = entry.get("bounds") or {"at_least": 0, "at_most": 0}
  least, most = bounds["at_least"], bounds["at_most"]
  if least or most:
    sign = 1 if not most else -1 if not least else 0
    text = SIGNS[sign] + format_value(metric, entry["mean"])
    never = " never" if counts_steps(metric) else ""
    return f"{text} ({least + most} of {entry['seeds']}{never})"
  text = format_spread(metric, entry["mean"], entry["std"])
  if entry["finite"] < entry["seeds"]:
    text += f" ({entry['finite']} of {entry['seeds']} finite)"
  return text


def bound_notes(entries: Iterable[Mapping[str, Any]]) -> list[str]:
  """What ≥ and ≤ mean in a table of results; nothing where there are none."""
  notes = {}
  for entry in entries:
    bounds = entry.get("bounds") or {}
    if counts_steps(entry["metric"]) and bounds.get("at_least"):
      notes["never"] = (
        "≥: some seeds never got there, and count with their last step"
      )
    elif bounds.get("at_least"):
      notes["most"] = "≥: so many seeds still train at the grid's largest value"
    if bounds.get("at_most"):
      notes["least"] = "≤: so many seeds train nowhere on the grid"
  return list(notes.values())


def format_published(metric: str, rule: Mapping[str, Any]) -> str:
  """A published number: with its spread, as a range, or as a ratio."""
  low, high, other = rule.get("low"), rule.get("high"), rule.get("relative_to")
  if other is not None:
    if low is not None and high is not None:
      return f"{TIMES}{low:g} to {high:g} of {other}"
    return f"{TIMES}{rule['mean']:.4g} of {other}"
  if low is not None and high is not None:
    return f"{format_value(metric, low)} to {format_value(metric, high)}"
  return format_spread(metric, rule["mean"], rule["std"])
