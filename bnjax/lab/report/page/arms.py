"""The arms: their colours, and where their configs differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.report.render import NONE, Table
from bnjax.lab.report.style import Look
from bnjax.lab.results.settings import arm_names

# Of marks in Matplotlib, those in Plotly.
_SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up"}
_SYMBOLS |= {"v": "triangle-down"}

_DARK = (0x16, 0x1A, 0x20)  # what the page is in the dark, see page.css
_CONTRAST = 4.0


def colours(look: Look) -> dict[str, str]:
  """A look on the page: its colour in the light and in the dark, its symbol.

  In the dark it is the same hue, as much paler as it takes to be seen.

  >>> colours(Look("#404040", "s"))
  {'color': '#404040', 'dark': '#797979', 'symbol': 'square'}
  """
  rgb = [int(look.color[place : place + 2], 16) for place in (1, 3, 5)]
  share = 0.0
  mixed = rgb
  while _contrast(mixed) < _CONTRAST:
    share += 0.05
    mixed = [round(part + (255 - part) * share) for part in rgb]
  dark = "#" + "".join(f"{part:02x}" for part in mixed)
  symbol = _SYMBOLS.get(look.mark, "")
  return {"color": look.color, "dark": dark, "symbol": symbol}


def _contrast(rgb: Sequence[int]) -> float:
  """The contrast with the page in the dark, as WCAG 2 defines it."""
  return (_luminance(rgb) + 0.05) / (_luminance(_DARK) + 0.05)


def _luminance(rgb: Sequence[int]) -> float:
  parts = [part / 255 for part in rgb]
  red, green, blue = (
    part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
    for part in parts
  )
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
  """Dotted fields of a nested config.

  >>> flat({"norm": {"name": "none"}, "steps": 10})
  {'norm.name': 'none', 'steps': 10}
  """
  found: dict[str, Any] = {}
  for key, value in config.items():
    if isinstance(value, Mapping) and value:
      found |= flat(value, f"{prefix}{key}.")
    else:
      found[f"{prefix}{key}"] = value
  return found


def differences(config: Mapping[str, Any]) -> Table:
  """A table of the fields in which arms differ: an arm a row.

  A field that an arm does not set has the value of the config around the arms.
  """
  arms = config.get("arms") or {}
  names = arm_names(config, [])
  own = {name: flat(arms[name] or {}) for name in names}
  base = flat({key: v for key, v in config.items() if key != "arms"})
  fields = [
    field
    for field in dict.fromkeys(f for name in names for f in own[name])
    if len({_text(own[name].get(field, base.get(field))) for name in names}) > 1
  ]
  rows = tuple(
    (name, *(_text(own[name].get(field, base.get(field))) for field in fields))
    for name in names
  )
  return Table("", ("arm", *fields), rows if fields else ())


def _text(value: Any) -> str:
  if value is None:
    return NONE
  if isinstance(value, float):
    return f"{value:g}"
  return str(value)
