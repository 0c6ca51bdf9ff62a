"""Numbers as tables show them."""

from bnjax.report.render import NONE


def _form(metric: str, value: float) -> str:
  """How a number is written: accuracies to 4 digits, others to 3 or so."""
  if metric.endswith("accuracy"):
    return ".4f"
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
  return f"{text} ± {std:{_form(metric, mean)}}"


def format_interval(
  metric: str, bounds: list[float] | None, sign: str = ""
) -> str:
  """An interval, in brackets."""
  if bounds is None:
    return NONE
  low, high = (format_value(metric, bound, sign) for bound in bounds)
  return f"[{low}, {high}]"


def format_difference(
  metric: str, value: float | None, bounds: list[float] | None
) -> str:
  """A difference with its sign and its interval, where there is one."""
  text = format_value(metric, value, "+")
  return (
    text if bounds is None else f"{text} {format_interval(metric, bounds, '+')}"
  )


def words(name: str) -> str:
  """A metric's name in words: `test_accuracy` -> `test accuracy`."""
  return name.replace("_", " ")
