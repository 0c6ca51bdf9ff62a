"""Several writers as one, none of which can stop the training."""

from collections.abc import Callable, Mapping, Sequence

from bnjax.lab.writers.writer import Row, Writer


class Composite:
  """Tells every writer; one that fails is told of once, and left out."""

  def __init__(
    self, writers: Mapping[str, Writer], notify: Callable[[str], None]
  ):
    self._writers = dict(writers)
    self._notify = notify

  def rows(self, rows: Sequence[Row]) -> None:
    """See `Writer.rows`."""
    self._each(lambda writer: writer.rows(rows))

  def probe_rows(self, rows: Sequence[Row]) -> None:
    """See `Writer.probe_rows`."""
    self._each(lambda writer: writer.probe_rows(rows))

  def predictions(self, rows: Sequence[Row]) -> None:
    """See `Writer.predictions`."""
    self._each(lambda writer: writer.predictions(rows))

  def close(self) -> None:
    """See `Writer.close`."""
    self._each(lambda writer: writer.close())
    self._writers.clear()

  def _each(self, tell: Callable[[Writer], None]) -> None:
    for name, writer in list(self._writers.items()):
      try:
        tell(writer)
      except Exception as error:  # whatever it is, training is worth more
        del self._writers[name]
        what = " ".join(str(error).split()) or type(error).__name__
        self._notify(
          f"writer {name} failed and is left out from here on, the records "
          f"are complete without it: {what[:300]}"
        )
