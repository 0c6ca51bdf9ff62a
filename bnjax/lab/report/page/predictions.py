"""What each arm says of each test image, in columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.report.on_page import short

_ROWS = 10_000


def predictions(
  rows: Sequence[Mapping[str, Any]], picture: bool, arms: Sequence[str]
) -> dict[str, Any] | None:
  """The table of predictions; None without any.

  Of very many rows, those with most disagreement; images where there is the
  picture that rows have places in.

  Raises:
    ValueError: a row lacks a field.
  """
  if not rows:
    return None
  try:
    kept = sorted(rows, key=lambda row: -row["disagreement"])[:_ROWS]
    return {
      "of": len(rows),
      "index": [row["index"] for row in kept],
      "label": [row["label"] for row in kept],
      "disagreement": short([row["disagreement"] for row in kept], 4),
      "arms": [
        {
          "name": arm,
          **{
            name: short([row["arms"][arm][name] for row in kept], 4)
            for name in ("prediction", "confidence", "right")
          },
        }
        for arm in arms
        if arm in kept[0]["arms"]
      ],
      "image": [row.get("image") if picture else None for row in kept],
    }
  except (KeyError, TypeError) as error:
    raise ValueError(
      f"predictions.jsonl is not as this version writes it: {error}"
    ) from None
