import io

from rich.console import Console

from bnjax.lab.experiment import terminal
from bnjax.lab.experiment.progress import Progress


class Clock:
  """Seconds that pass when told to."""

  def __init__(self):
    self.now = 0.0

  def __call__(self):
    return self.now


def _progress(step, message="", *, part=0, parts=1, networks=1, steps=100):
  return Progress("a", step, steps, message, networks, part, parts)


def _lines(*told):
  """The lines of progress at times, without their stamps."""
  clock, lines = Clock(), []
  show = terminal.Lines(lines.append, clock)
  for clock.now, progress in told:
    show(progress)
  return [line.partition("] ")[2] for line in lines]


def test_the_rate_leaves_out_what_was_compiled_before():
  assert _lines(
    (0.0, _progress(0)),
    (30.0, _progress(10)),  # compilation, and 10 steps
    (32.0, _progress(30)),
    (42.0, _progress(50, "accuracy 0.9")),
    (43.0, _progress(100, networks=5)),
  ) == [
    "a 0/100",
    "a 10/100",
    "a 30/100: 10 steps/s, 7 s left",
    "a 50/100: accuracy 0.9, 3.33 steps/s, 15 s left",
    "a 100/100: accuracy 0.9, 5 networks, done in 43 s",
  ]


def test_each_part_has_a_rate_of_its_own():
  first = {"part": 0, "parts": 2, "steps": 10**5}
  second = first | {"part": 1}
  assert _lines(
    (0.0, _progress(10, **first)),
    (0.5, _progress(10, **second)),
    (1.5, _progress(813, **second)),
    (11.0, _progress(20, **first)),
  ) == [
    "1/2 a 10/100000",
    "2/2 a 813/100000: 803 steps/s, 2 min 04 s left",
    "1/2 a 20/100000: 0.909 steps/s, 30 h 32 min left",
  ]


def test_lines_come_at_most_once_a_second_but_every_end_is_told():
  clock, lines = Clock(), []
  show = terminal.Lines(lines.append, clock)
  for step in range(101):
    show(_progress(step, "accuracy 0.9" if step % 50 == 0 else ""))
    clock.now += 0.03
  assert [line.split()[4] for line in lines] == [
    "0/100:", "34/100:", "68/100:", "100/100:",
  ]  # fmt: skip
  assert all("accuracy 0.9" in line for line in lines)


def test_lines_get_rarer_in_a_long_run():
  clock, lines = Clock(), []
  show = terminal.Lines(lines.append, clock)
  for second in range(3600):
    clock.now = float(second)
    show(_progress(second, steps=10**6))
  assert 100 < len(lines) < 300


def test_messages_are_told_at_once():
  lines = []
  show = terminal.Lines(lines.append, Clock())
  show(Progress("", 0, 1, "reading"))
  show(Progress("", 0, 1, "reading more"))
  assert lines == ["[   0.0 s] reading", "[   0.0 s] reading more"]


def test_quiet_tells_notices_alone(capsys):
  with terminal.show_progress(quiet=True) as show:
    show(_progress(100))
    show(Progress("", 0, 1, "reading"))
    show(Progress("", 0, 1, "a writer failed", notice=True))
  out, err = capsys.readouterr()
  assert (out, err) == ("", "a writer failed\n")


def _bars(**options):
  file = io.StringIO()
  console = Console(file=file, force_terminal=True, width=100, **options)
  with terminal.Bars(console) as bars:
    for part in (0, 1):
      bars.show(Progress("[red]arm", 0, 10, "", 2, part, 2))
      bars.show(Progress("[red]arm", 5, 10, "accuracy 0.9", 2, part, 2))
      bars.show(Progress("[red]arm", 10, 10, "", 2, part, 2))
  return file.getvalue()


def test_bars_leave_a_line_for_each_part():
  text = _bars(no_color=True)
  for part in (1, 2):
    assert f"{part}/2 [red]arm 10/10: accuracy 0.9, 2 networks, done" in text
  assert "all parts" in text
  assert "\x1b[3" not in text  # no colour
