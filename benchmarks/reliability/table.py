"""All attacks, and the page that says what came of them."""

import os
import random
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.reliability import (
  finished,
  hostile,
  processes,
  stopped,
  stored,
  together,
)
from benchmarks.reliability.harms import HARMS
from benchmarks.reliability.outcome import Outcome, Row
from benchmarks.reliability.runs import STAGES, Runs

_SAME = "26 of 26 survived"
_LOST = "lost in a quarter of tries"
_INTRODUCTION = """\
What a run withstands. A small run (two arms of two networks on the digits of
scikit-learn, in four parts, with probes, predictions and trained networks) is
attacked, and given the same command again until it ends. *Survived*: all of its
records and networks are, bit for bit, those of a run that nothing was done to
(but for the seconds), and each signal was answered with its status and a line
that says how to go on. *Refused*: one line says what is wrong, and no file was
changed. *Wrong* is all else: other results, a traceback, no answer.

*Before* is what came of such attacks in November 2026, before this table was
made, as the issue that asked for it counted them; its files and moments were
others."""


def attack(
  folder: Path, tries: int, draw: random.Random, flips: int
) -> Iterator[Row]:
  """Makes all attacks, on runs in an empty folder.

  Args:
    folder: for all that is written.
    tries: of each attack whose moment is random.
    draw: the moments.
    flips: bits of the data cache that are changed.
  """
  yield from _damage(folder, draw, flips)
  yield from _hostile(folder)
  runs = Runs(folder)
  for stage in STAGES:
    before = "trained again" if stage == "report" else _SAME
    yield Row(
      f"SIGKILL: {stage}",
      [processes.kill(runs, stage, draw) for _ in range(tries)],
      before,
    )
  yield Row(
    "SIGKILL, Ctrl-C and SIGTERM while it trains, Ctrl-C in its report",
    [processes.ordeal(runs) for _ in range(tries)],
    "",
  )
  yield Row(
    "SIGKILL: a checkpoint is being written",
    [processes.kill_while_saving(runs, draw) for _ in range(tries)],
    _SAME,
  )
  yield Row(
    "SIGKILL: import",
    [processes.at_import(runs, signal.SIGKILL, draw) for _ in range(tries)],
    _SAME,
  )
  for number in (signal.SIGINT, signal.SIGTERM):
    before = _LOST if number == signal.SIGINT else "no status 75"
    yield Row(
      f"{number.name}: import",
      [processes.at_import(runs, number, draw) for _ in range(tries)],
      before,
    )
    for stage in STAGES:
      yield Row(
        f"{number.name}: {stage}",
        [processes.ask(runs, number, stage, draw) for _ in range(tries)],
        "" if (number, stage) == (signal.SIGTERM, "training") else before,
      )
  yield Row(
    "no room for files beyond a random size, then room",
    [processes.fill_disk(runs, draw) for _ in range(2 * tries)],
    "11 of 11 survived",
  )
  yield Row("output to `/dev/full`", [processes.full_output(runs)], "traceback")
  yield Row(
    "no flock: ENOSYS, ENOLCK, EOPNOTSUPP",
    [processes.without_locks(runs, n) for n in processes.NO_LOCKS],
    "traceback",
  )
  yield Row(
    "damage to a stopped run, trained to its end",
    list(processes.damage(runs, tries, draw)),
    "of 128: 12 wrong, 30 tracebacks",
  )
  yield from _together(runs)


def _damage(folder: Path, draw: random.Random, flips: int) -> Iterator[Row]:
  def each(
    files: Sequence[str], do: Callable[[str, Callable[[Path], object]], Outcome]
  ) -> Iterator[tuple[str, list[Outcome]]]:
    for name in files:
      yield name, [do(name, harm) for harm in HARMS.values()]

  run = stopped.StoppedRun(folder / "stopped")
  for name, came in each(stopped.FILES, run.attack):
    before = "of 128 stopped runs: 12 wrong, 30 tracebacks"
    yield Row(f"stopped run, damage to {name}", came, before)
  (folder / "finished").mkdir()
  done = finished.FinishedRun(folder / "finished")
  for name, came in each(finished.FILES, done.attack):
    before = "of 1,124 files: 52 tracebacks, 10 believed, 6 hangs"
    yield Row(f"finished run, damage to {name}", came, before)
  came = list(stored.networks(folder / "kept"))
  yield Row("damage to a trained network, loaded", came, "removed")
  os.environ["BNJAX_CACHE_DIR"] = str(folder / "cache")
  cache = folder / "cache" / "data"
  cache.mkdir(parents=True)
  yield Row(
    "damage to the data cache",
    list(stored.decoded(cache, flips, draw)),
    "19,696 bit flips survived; else tracebacks",
  )


def _hostile(folder: Path) -> Iterator[Row]:
  number = 0

  def place() -> Path:
    nonlocal number
    number += 1
    return folder / f"hostile{number}"

  before = {"figure": "written elsewhere", "arm": "formulas, a traceback",
            "command": "left its place"}  # fmt: skip
  for which in hostile.PLACES:
    named = [hostile.name_something(place(), which, n) for n in hostile.NAMES]
    yield Row(f"a name of {which} that is a path, a formula, Markdown, HTML, "
              "mathtext, ANSI", named, before.get(which, ""))  # fmt: skip
  links = [hostile.link(place(), name) for name in hostile.LINKS]
  links += [hostile.link_of_report(place(), n) for n in hostile.REPORT_LINKS]
  yield Row("a link in the place of what a run or report writes", links,
            "followed")  # fmt: skip


def _together(runs: Runs) -> Iterator[Row]:
  abort = "abort with a C++ stack"
  yield Row("two processes, one does not come",
            [together.missing(runs, index) for index in (0, 1)],
            f"{abort} after 2 min")  # fmt: skip
  yield Row("the same, Ctrl-C", [together.interrupted(runs)], "after 31 s")
  yield Row("two processes, different configs", [together.unlike(runs)],
            "trained together")  # fmt: skip
  yield Row("two processes, the first killed", [together.killed(runs, 0)],
            abort)  # fmt: skip
  yield Row("two processes, the second killed", [together.killed(runs, 1)], "")
  yield Row("two processes stopped, one goes on (to 1e-9)",
            [together.stopped(runs)], "survived")  # fmt: skip


def to_markdown(rows: Iterable[Row], facts: Sequence[str]) -> str:
  """The page.

  Args:
    rows: what came of the attacks.
    facts: how the table was made, one line each.
  """
  head = ["attack", "tries", "survived", "refused", "wrong", "before"]
  lines = [head, ["---"] + ["---:"] * 4 + ["---"]]
  total = [0, 0, 0, 0]
  for row in rows:
    counts = [len(row.outcomes)] + [
      row.count(verdict) for verdict in ("survived", "refused", "wrong")
    ]
    total = [a + b for a, b in zip(total, counts, strict=True)]
    lines.append([row.attack, *_counts(counts), row.before])
  lines.append(["**all**", *_counts(total), ""])
  table = [f"| {' | '.join(line)} |" for line in lines]
  made = [f"- {fact}" for fact in facts]
  return "\n".join(
    ["# Reliability", "", _INTRODUCTION, "", *made, "", *table, ""]
  )


def _counts(counts: Sequence[int]) -> list[str]:
  return [f"{count:,}" if count else "" for count in counts]
