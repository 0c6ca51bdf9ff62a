"""One look for every figure: colours by arm, in the light and in the dark."""

import colorsys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Okabe and Ito's palette, told apart with every kind of colour vision, less
# its yellow (too faint for a line on white) and its black (for text).
BLUE, VERMILION, GREEN = "#0072b2", "#d55e00", "#009e73"
PURPLE, ORANGE, SKY = "#cc79a7", "#e69f00", "#56b4e9"
PALETTE = (GREEN, PURPLE, ORANGE, SKY, BLUE, VERMILION)

# Darker than any of those, from Tol's muted scheme; drawn with a mark as well,
# as ten hues are more than everyone can tell apart.
MORE = ("#332288", "#882255", "#8a8a00", "#404040")

# The arms that several experiments have keep their colours in all of them.
KNOWN = {
  "batch_norm": BLUE,
  "no_batch_norm": VERMILION,
  "batch_norm_as_published": GREEN,
  "batch_norm_as_published_width_100": PURPLE,
}

# Dashes are for what is published, "D" and "X" are taken.
MARKS = ("o", "s", "^", "v")

TEXT, SOFT, GRID, FRAME = "#1b1f24", "#57606a", "#e6e8eb", "#d9dce1"
PAGE, PANEL = "#ffffff", "#f6f7f9"
NIGHT = {
  TEXT: "#e6e9ed", SOFT: "#a3acb8", GRID: "#2c333d", FRAME: "#3a424d",
  PAGE: "#161a20", PANEL: "#1f252d",
}  # fmt: skip
BAND, RIDGE = 0.16, 0.75  # opacity of a line's band, and of a histogram
_CONTRAST = 4.0


class Look(NamedTuple):
  """How an arm is drawn: a colour, and perhaps marks on its line."""

  color: str
  mark: str = ""


def looks(arms: Iterable[str]) -> dict[str, Look]:
  """Gives every arm its look; it depends on the arms and their order alone.

  Beyond thirty arms hues go round and round, never twice the same.

  >>> looks(["batch_norm", "other"])["batch_norm"].color
  '#0072b2'
  """
  arms = list(dict.fromkeys(arms))
  found = {arm: Look(KNOWN[arm]) for arm in arms if arm in KNOWN}
  taken = {look.color for look in found.values()}
  free = [Look(color) for color in PALETTE if color not in taken]
  free += [Look(color, MARKS[0]) for color in MORE]
  for mark, other in zip(MARKS[1:3], ("#000000", "#ffffff"), strict=True):
    free += [Look(mix(c, other, 0.4), mark) for c in (*PALETTE, *MORE)]
  others = [arm for arm in arms if arm not in found]
  free += [Look(_hue(i), MARKS[3]) for i in range(len(others) - len(free))]
  found |= dict(zip(others, free, strict=False))
  return {arm: found[arm] for arm in arms}


def _hue(place: int) -> str:
  """A colour of an endless row, by the golden angle."""
  hue, light = 0.02 + place * 0.618034, 0.38 + 0.002 * (place % 90)
  rgb = colorsys.hls_to_rgb(hue % 1, light, 0.55)
  return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def mix(color: str, other: str, share: float) -> str:
  """A colour with a share of another one.

  >>> mix("#000000", "#ffffff", 0.5)
  '#808080'
  """
  parts = zip(_rgb(color), _rgb(other), strict=True)
  return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)


def night(color: str) -> str:
  """The colour that stands for another one on the page in the dark.

  It is the same hue, as much paler as it takes to be seen.

  >>> night("#404040"), night("#e69f00")
  ('#797979', '#e69f00')
  """
  if color in NIGHT:
    return NIGHT[color]
  share, mixed = 0.0, color
  while contrast(mixed) < _CONTRAST:
    share += 0.05
    mixed = mix(color, "#ffffff", share)
  return mixed


def night_colors(colors: Iterable[str]) -> dict[str, str]:
  """Each colour's other one in the dark; no two are the same."""
  found: dict[str, str] = {}
  for color in sorted(set(colors)):
    other = night(color)
    while other in found.values():
      other = mix(other, "#ffffff", 0.04)
    found[color] = other
  return found


def contrast(color: str) -> float:
  """The contrast with the page in the dark, as WCAG 2 defines it."""
  return (_luminance(_rgb(color)) + 0.05) / (
    _luminance(_rgb(NIGHT[PAGE])) + 0.05
  )


def _rgb(color: str) -> list[int]:
  return [int(color[place : place + 2], 16) for place in (1, 3, 5)]


def _luminance(rgb: Sequence[int]) -> float:
  red, green, blue = (
    part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
    for part in (value / 255 for value in rgb)
  )
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
