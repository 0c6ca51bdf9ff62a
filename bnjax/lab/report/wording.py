"""Names, units and numbers in words, for axes and captions."""

from collections.abc import Iterable
from typing import Any

from bnjax.lab.results.names import Metric, StepsTo, is_fraction, parse_name

STEPS = "training step (minibatches)"


def sentence(text: str) -> str:
  """A text that begins with a capital letter."""
  return text[:1].upper() + text[1:]


def plural(number: int, word: str) -> str:
  """A count of things.

  >>> plural(1, "seed"), plural(3000, "step")
  ('1 seed', '3,000 steps')
  """
  return f"{number:,} {word}{'' if number == 1 else 's'}"


def span(numbers: Iterable[int]) -> str:
  """The least and the greatest of some numbers, or the only one.

  >>> span([100, 2000, 100]), span([3])
  ('100 to 2,000', '3')
  """
  found = sorted(set(numbers))
  return " to ".join(f"{n:,}" for n in dict.fromkeys((found[0], found[-1])))


def field_name(field: str) -> str:
  """The last part of a dotted field, in words.

  >>> field_name("optimizer.learning_rate")
  'learning rate'
  """
  return field.rpartition(".")[2].replace("_", " ")


def unit(name: str) -> str:
  """What a metric counts, for an axis.

  >>> unit("test_accuracy"), unit("steps_to:loss<=0.1"), unit("grad_norm")
  ('fraction correct', 'training steps', 'grad norm')
  """
  if is_fraction(name):
    share = name.endswith("accuracy") or "accuracy@" in name
    return "fraction correct" if share else "fraction"
  if name.partition("@")[0].endswith("_seconds"):
    return "seconds"
  try:
    found = parse_name(name)
  except ValueError:
    return name
  if isinstance(found, StepsTo):
    return "training steps"
  if isinstance(found, Metric):
    is_loss = found.metric.endswith("loss")
    return "loss (nats)" if is_loss else found.metric.replace("_", " ")
  return ""


def number_text(value: Any, digits: int = 3) -> str:
  """A field's value on an axis.

  >>> number_text(0.1), number_text(1e-05), number_text(1000), number_text("he")
  ('0.1', '1e-5', '1000', 'he')
  """
  if isinstance(value, bool) or not isinstance(value, int | float):
    return str(value)
  text = f"{value:.{digits}g}" if abs(value) < 100 else f"{value:g}"
  mantissa, e, exponent = text.partition("e")
  return f"{mantissa}e{int(exponent)}" if e else text
