"""The figures of a run for a paper: of a given width, in any format."""

import os
import pathlib
from collections.abc import Sequence

from bnjax.lab import results
from bnjax.lab.errors import UserError, choice
from bnjax.lab.report.figures import draw_figures
from bnjax.lab.report.on_paper import COLUMN, METADATA
from bnjax.lab.results.figures import without_outside

_LEAST, _MOST = 2.5, 12.0  # inches


def write_figures(
  workdir: str | os.PathLike[str],
  *,
  formats: Sequence[str] = ("pdf",),
  width: float = COLUMN,
  rules: results.Rules | None = None,
) -> list[pathlib.Path]:
  """Draws the figures of a run into its `report/paper/`.

  Their text has the size it has in print: they are to be included as they are,
  not scaled.

  Args:
    workdir: the work directory of a run, or what is kept of it.
    formats: png, pdf, svg.
    width: in inches.
    rules: they say what is drawn, and may run code from outside; those recorded
      there if None, without what such code draws.

  Returns:
    The files.

  Raises:
    UserError: a file is missing, damaged or cannot be written, or there is no
      such format or width.
  """
  folder = pathlib.Path(workdir)
  formats = [choice("--format", form, METADATA) for form in formats]
  if not _LEAST <= width <= _MOST:
    raise UserError(
      f"--width: {width:g} inches; between {_LEAST:g} and {_MOST:g}, such as "
      f"{COLUMN:g} for a column"
    )
  try:
    run = results.read_workdir(folder)
    if rules is not None:
      run = run.with_rules(rules)
    else:
      rules, _ = without_outside(run.rules)
    return draw_figures(
      run.config,
      run.environment,
      run.rows,
      folder / "report" / "paper",
      formats,
      run.probes,
      width,
      rules,
    )
  except OSError as error:
    raise UserError(f"{error.filename or folder}: {error.strerror}") from None
  except ValueError as error:
    raise UserError(f"{folder}: {error}") from None
