import io
import pathlib
import re

import pytest
from hypothesis import given, settings, strategies as st
from rich.console import Console

from bnjax.lab.errors import UserError
from bnjax.lab.report import (
  Table,
  print_summary,
  print_tables,
  summary_tables,
)
from bnjax.lab.report.claims import by_luck, tally
from bnjax.lab.report.numbers import (
  bound_notes,
  format_margin,
  format_published,
  format_result,
  format_spread,
  format_value,
)
from bnjax.lab.report.render import (
  NONE,
  TIMES,
  escape_markdown,
  to_markdown,
)
from bnjax.lab.report.templating import html
from bnjax.lab.results import (
  PublishedCurve,
  PublishedNumber,
  Recorded,
  Rules,
  greater,
  read_json,
  summarize,
)

NASTY = "<script>|"
PUBLISHED = {
  "mean": 0.8853, "std": 0.0079, "seeds": 5, "source": "a post",
  "dataset": "mnist", "step": 20,
}  # fmt: skip
ENVIRONMENT = {
  "datasets": [
    {
      "name": "mnist",
      "label": "MNIST",
      "train": 55000,
      "validation": 5000,
      "test": 10000,
      "digest": "abc123",
    }
  ]
}


def summarized(measured_on="mnist", more=(), **changes):
  """The summary of a run, with changes to the published curve."""
  config = {"dataset": {"name": measured_on}, "steps": 20, "seeds": 2,
            "arms": {"batch_norm": {}, NASTY: {}}}  # fmt: skip
  line = {"steps": (10, 20), "values": (14.756, 6.411)} | changes
  rules = Rules(
    title="A test",
    notes=("a note",),
    published=(
      PublishedNumber(arm="batch_norm", metric="test_accuracy", **PUBLISHED),
      PublishedCurve(arm="batch_norm", metric="loss", **line),
      *more,
    ),
    claims={"c": greater("batch norm helps", "batch_norm", NASTY)},
  )
  recorded = Recorded(rules, rules)
  return summarize(config, ENVIRONMENT, rows(), recorded=recorded)


def rows():
  for arm, accuracies in (("batch_norm", (0.9, 0.92)), (NASTY, (0.1, 0.3))):
    for seed, accuracy in enumerate(accuracies):
      for step in (10, 20):
        bad = arm == NASTY and seed == 1 and step == 20
        yield {
          "arm": arm, "seed": seed, "step": step, "test_accuracy": accuracy,
          "loss": None if bad else 3.0, "data_loss": 2.0, "l2_loss": 1.0,
          "diverged_step": 15 if bad else None,
        }  # fmt: skip


def to_html(table):
  macros = html().get_template("parts.html").module
  return macros.table(table, table.title, "x", 2)


def tables(measured_on="mnist", **kwargs):
  return summary_tables(summarized(measured_on, **kwargs))


def test_results_table_holds_the_literal_numbers():
  results = tables()[0]
  assert results.title == "A test (after 20 steps)"
  assert results.columns == (
    "arm", "test accuracy", "95% interval", "diverged", "published",
    "difference [95%]", "margin", "verdict",
  )  # fmt: skip
  # 0.91 +- 12.7062 * 0.01; Welch: 0.0247 +- t(3.56) * sqrt(.01^2 + .0079^2/4)
  assert results.rows[0][:5] == (
    "batch_norm", "0.9100 ± 0.0100", "[0.7829, 1.0000]", "0",
    "0.8853 ± 0.0079",
  )  # fmt: skip
  assert results.rows[0][5].startswith("+0.0247 [-")
  assert results.rows[0][6:] == ("±0.0100", "undecided")
  assert results.rows[1][:2] == (NASTY, "0.2000 ± 0.1000")
  assert results.rows[1][3:] == ("1", NONE, NONE, NONE, NONE)


def test_results_table_states_the_data_and_what_happened():
  assert tables()[0].notes == (
    "data: MNIST; train 55,000, validation 5,000, test 10,000; digest abc123",
    "mean ± standard deviation over 2 seeds (divided by n, as published); "
    "brackets: 95% Student t interval; diverged runs are among the seeds",
    f"{NASTY}: seed 1 diverged at step 15",
    "undecided: about 8 seeds like these would decide (batch_norm)",
    "published: a post",
    "a note",
  )


def test_another_data_set_is_named_and_the_difference_still_stated():
  results = tables("mnist5k")[0]
  assert results.rows[0][5:] == ("+0.0247", "±0.0100", "cannot be compared")
  assert (
    "cannot be compared: measured on mnist5k, published on mnist (batch_norm)"
    in results.notes
  )


def test_a_published_metric_that_is_not_the_headline_gets_a_row():
  rule = {**PUBLISHED, "arm": NASTY, "metric": "loss", "mean": 2.0}
  results = tables(more=[PublishedNumber(**rule)])[0]
  assert results.columns[1:3] == ("metric", "result")
  loss = results.rows[2]
  assert loss[:3] == (NASTY, "loss", "3.000 (1 of 2 finite)")
  assert "only 1 of 2 seeds are finite" in " ".join(results.notes)


def test_claims_table():
  claims = tables()[1]
  (row,) = claims.rows
  assert row[0] == "batch norm helps"
  assert row[1] == f"test accuracy: batch_norm \N{MINUS SIGN} {NASTY}"
  # Differences 0.8 and 0.62: 0.71 +- 12.7062 * 0.09.
  interval = "+0.7100 [-0.4336, +1.8536]"
  assert row[2:] == ("> 0", interval, "0.08", "undecided")


def test_loss_table_has_the_published_curve_and_both_parts():
  losses = tables("mnist5k", source="a post")[2]
  assert losses.columns == (
    "step", "loss, ours", "published", "data loss", "l2 loss",
  )  # fmt: skip
  assert losses.rows[1] == ("20", "3.000 ± 0.000", "6.411", "2.000", "1.000")
  assert losses.notes[0] == "published: a post"


def test_a_run_that_reached_no_published_step_has_no_loss_table():
  assert len(tables()) == 3
  assert len(tables(steps=[100], values=[1.0])) == 2


def test_loss_table_of_another_data_set_says_so():
  losses = tables("mnist5k", dataset="mnist")[2]
  assert losses.notes[0] == (
    "cannot be compared: measured on mnist5k, published on mnist"
  )


@pytest.mark.parametrize(
  ("metric", "value", "text"),
  [
    ("test_accuracy", 0.88531, "0.8853"),
    ("loss", 0.8341, "0.834"),
    ("loss", 0.0, "0.000"),
    ("loss", 1.234e-5, "1.23e-05"),
    ("loss", 3.2e38, "3.2e+38"),
    ("loss", None, NONE),
  ],
)
def test_numbers(metric, value, text):
  assert format_value(metric, value) == text


def test_a_deviation_has_the_digits_of_its_mean():
  assert format_spread("loss", 69.99512, 0.00291) == "69.995 ± 0.003"


def test_an_arm_called_script_shows_as_text_everywhere():
  results = tables()[0]
  markdown, page = to_markdown(results), to_html(results)
  assert "| &lt;script&gt;\\| |" in markdown
  assert "&lt;script&gt;|" in page
  assert "<script" not in markdown + page


@settings(deadline=None)
@given(st.text())
def test_a_markdown_row_has_as_many_cells_whatever_is_in_it(text):
  table = Table("t", ("a", "b"), ((text, "x"),))
  row = to_markdown(table).splitlines()[4]
  bars = row.replace("\\\\", "").replace("\\|", "").count("|")
  assert bars == 3
  assert "<" not in escape_markdown(text)


@settings(deadline=None)
@given(st.text())
def test_html_has_no_tag_that_a_cell_brought(text):
  table = Table("t", ("a",), ((text,),), (text,))
  bare = to_html(Table("t", ("a",), (("x",),), ("x",)))
  assert to_html(table).count("<") == bare.count("<")


def printed(table, **kwargs):
  out = io.StringIO()
  print_tables([table], Console(file=out, highlight=False, **kwargs))
  return out.getvalue()


def test_terminal_takes_no_markup_and_no_controls():
  table = Table("t", ("arm",), (("[red]x[/]\x1b[31m",),), ("[bold]n",))
  text = printed(table, width=60)
  assert "[red]x[/]\N{REPLACEMENT CHARACTER}[31m" in text
  assert "[bold]n" in text
  assert "\x1b" not in text
  assert str(UserError("a\x1b[31m\nb")) == "a\N{REPLACEMENT CHARACTER}[31m b"


def test_a_wide_table_is_not_broken_where_there_is_no_terminal():
  table = Table("t", ("a", "b"), (("x" * 90, "y" * 90),))
  assert "x" * 90 + " " in printed(table, width=40)


def test_a_terminal_is_told_results_and_last_each_claim():
  kept = pathlib.Path(__file__).parents[3] / "docs/results"
  summary = read_json(kept / "init_robustness-mnist" / "summary.json")

  def told(width):
    out = io.StringIO()
    print_summary(
      summary,
      ["a notice"],
      Console(file=out, width=width, force_terminal=True, no_color=True),
    )
    return re.sub(r"\x1b\[\d*m", "", out.getvalue())

  results, ending = told(80).split("note: a notice")
  assert max(map(len, results.splitlines())) <= 80
  first = [line.split()[0] for line in results.splitlines() if line.strip()]
  arms = {entry["arm"] for entry in summary["entries"]}
  assert arms <= set(first)  # in no name is a line broken
  assert "report has more columns: 95% interval, difference, margin" in results
  assert "ours" not in results  # of the tables of losses
  assert "difference" in told(140).split("data:")[0]
  claims = [(c["verdict"], c["text"]) for c in summary["claims"]]
  lines = re.sub(r"\s+", " ", ending)
  at = [lines.index(f"{verdict} {text}: ") for verdict, text in claims]
  assert at == sorted(at)
  assert "0.9507 with batch_norm, 0.2769 with no_batch_norm " in lines
  assert len(ending.splitlines()) <= 11


def test_numbers_are_aligned_to_the_right_and_words_to_the_left():
  table = Table(
    "t", ("w", "n"), (("word", "+1.5"), ("1", NONE), ("x", "[0, 1]"))
  )
  assert [table.is_number(i) for i in (0, 1)] == [False, True]
  assert "| --- | --: |" in to_markdown(table)


def entry(metric="loss", **fields):
  """An entry of a summary."""
  return {
    "arm": "a", "metric": metric, "step": 20, "dataset": "mnist", "mean": 2.0,
    "std": 0.5, "sample_std": 0.6, "interval": [1.0, 3.0], "seeds": 3,
    "finite": 3, "bounds": {"at_least": 0, "at_most": 0},
    "diverged": {"count": 0, "runs": []}, "published": None,
    "difference": None, "difference_interval": None, "ratio": None,
    "ratio_interval": None, "room": None, "verdict": None, "reason": "",
  } | fields  # fmt: skip


def summary(entries=(), claims=(), **fields):
  empty = {"curves": [], "grids": [], "layers": [], "notices": [], "notes": []}
  return {"title": "t", "datasets": [], "entries": list(entries),
          "claims": list(claims)} | empty | fields  # fmt: skip


def bounded(least, most):
  return {"at_least": least, "at_most": most}


@pytest.mark.parametrize(
  ("fields", "text"),
  [
    ({}, "2.000 ± 0.500"),
    ({"metric": "largest_l2", "mean": 0.05, "std": 7e-18}, "0.05 ± 0"),
    ({"metric": "steps_to:loss<=1", "mean": 820.0, "std": 180.0}, "820 ± 180"),
    ({"metric": "steps_to:loss<=1", "mean": 1820.0, "bounds": bounded(2, 0)},
     "≥ 1,820 (2 of 3 never)"),
    ({"metric": "largest_learning_rate", "mean": 31.62,
      "bounds": bounded(3, 0)}, "≥ 31.62 (3 of 3)"),
    ({"metric": "largest_l2", "mean": 0.001, "bounds": bounded(0, 1)},
     "≤ 0.001 (1 of 3)"),
    ({"metric": "largest_l2", "mean": 0.5, "bounds": bounded(1, 1)},
     "0.5 (2 of 3)"),
  ],
)  # fmt: skip
def test_results(fields, text):
  assert format_result(entry(**fields)) == text


def test_what_bounds_mean_is_said():
  entries = [
    entry(metric="steps_to:loss<=1", bounds=bounded(1, 0)),
    entry(metric="largest_l2", bounds=bounded(1, 1)),
    entry(),
  ]
  assert [note[0] for note in bound_notes(entries)] == ["≥", "≥", "≤"]
  assert bound_notes([entry()]) == []


@pytest.mark.parametrize(
  ("rule", "text"),
  [
    ({"mean": 0.5, "std": None}, "0.5000"),
    ({"mean": 0.5, "std": 0.1}, "0.5000 ± 0.1000"),
    ({"mean": 0.5, "std": None, "low": 0.25, "high": 0.75}, "0.2500 to 0.7500"),
    ({"mean": 1.31, "std": None, "relative_to": "b"}, f"{TIMES}1.31 of b"),
    ({"mean": 2.45, "std": None, "low": 2.2, "high": 2.7, "relative_to": "b"},
     f"{TIMES}2.2 to 2.7 of b"),
  ],
)  # fmt: skip
def test_published_numbers(rule, text):
  assert format_published("test_accuracy", rule) == text


def test_a_ratio_to_another_arm_is_shown_as_one():
  rule = {"mean": 1.31, "std": None, "relative_to": "b", "source": "x"}
  line = entry("train_seconds", published=rule, ratio=1.3, verdict="holds",
               ratio_interval=[1.25, 1.354], difference=1.3 / 1.31,
               difference_interval=[0.95, 1.03],
               room=[1 / 1.1, 1.1])  # fmt: skip
  results = summary_tables(summary([line]))[0]
  assert results.columns[-4:] == (
    "published",
    "difference [95%]",
    "margin",
    "verdict",
  )
  assert results.rows[0][2:] == (
    f"2.000 ± 0.500: {TIMES}1.300 [1.250, 1.354]", "[1.000, 3.000]",
    f"{TIMES}1.31 of b", f"{TIMES}0.992 [0.950, 1.030]", f"{TIMES}/÷ 1.100",
    "holds",
  )  # fmt: skip
  assert any(
    note.startswith(f"{TIMES}: the ratio of two") for note in results.notes
  )


def test_entries_at_several_steps_say_which():
  rule = {"mean": 2.0, "std": None, "source": "x"}
  lines = [entry(step=5, published=rule, verdict="holds"), entry()]
  results = summary_tables(summary(lines))[0]
  assert results.columns[:2] == ("arm", "step")
  assert [row[1] for row in results.rows] == ["5", "20"]


def test_columns_that_say_nothing_are_left_out():
  results = summary_tables(summary([entry()]))[0]
  assert results.columns == ("arm", "loss", "95% interval")
  two = summary_tables(summary([entry(), entry(arm="b", seeds=2)]))[0]
  assert two.columns == ("arm", "loss", "95% interval", "seeds")


@pytest.mark.parametrize(
  ("metric", "rule", "room", "text"),
  [
    ("test_accuracy", {}, [-0.01, 0.01], "±0.0100"),
    ("loss", {"low": 1, "high": 2}, [-0.7, 0.8], "-0.700 to +0.800"),
    ("loss", {"factor": 10}, [0.1, 10], f"{TIMES}/÷ 10"),
    ("loss", {"factor": 2}, [0.25, 2], f"{TIMES}0.250 to {TIMES}2.000"),
  ],
)
def test_the_margin_stands_beside_the_verdict(metric, rule, room, text):
  line = entry(metric, published=rule, room=room, verdict="holds")
  assert format_margin(line) == text


def test_claims_and_numbers_are_counted_once():
  hold, fail, open_ = (
    {"verdict": v} for v in ("holds", "does not hold", "undecided")
  )
  first, second = {"text": "a"}, {"text": "b"}
  claims = [hold | first, fail | first, hold | second, open_ | second]
  assert tally(claims) == "0 of 2 hold, 1 undecided"
  assert tally([hold | first, hold | first]) == "1 of 1 hold"
  stated, tried = ({"published": {"setting": s}} for s in ("", "width 100"))
  numbers = [fail | stated, fail | stated, hold | tried]
  assert tally(numbers) == "0 of 2 hold, at other settings 1 of 1"


def test_holms_correction_stands_beside_several_claims():
  several = [claim(p_holm=0.012, setting="rate 1"), claim(p_holm=0.2)]
  table = summary_tables(summary(claims=several))[0]
  place = table.columns.index("p, Holm")
  assert [row[place] for row in table.rows] == ["0.012", "0.2"]
  assert table.rows[0][0] == "c (rate 1)"
  assert table.notes[-1] == (
    "p, Holm: corrected for the 2 tests of this run; without that the chance "
    "that one of them holds by luck is up to 5%"
  )
  assert [by_luck(one) for one in several] == [False, True]


def claim(**fields):
  return {
    "text": "c", "metric": "loss", "arm": "a", "versus": "b",
    "versus_metric": None, "direction": "greater", "margin": 0.0,
    "published": "", "difference": 0.5, "interval": [0.25, 0.75],
    "ratio": None, "ratio_interval": None, "bound": 0, "seeds": 3,
    "verdict": "holds", "reason": "",
  } | fields  # fmt: skip


MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
  ("fields", "cells"),
  [
    ({}, (f"loss: a {MINUS} b", "> 0", "+0.500 [+0.250, +0.750]")),
    ({"direction": "less", "margin": 0.5, "versus": 2},
     (f"loss: a {MINUS} 2", "< -0.5", "+0.500 [+0.250, +0.750]")),
    ({"versus": None, "versus_metric": "test_loss", "direction": "within",
      "margin": 0.1},
     (f"a: loss {MINUS} test loss", "within ±0.1", "+0.500 [+0.250, +0.750]")),
    ({"versus_metric": "test_loss"},
     (f"a: loss {MINUS} test loss of b", "> 0", "+0.500 [+0.250, +0.750]")),
    ({"direction": "ratio_greater", "margin": 10, "ratio": 14.8,
      "ratio_interval": [12.0, None], "bound": 1},
     ("loss: a / b", f"> {TIMES}10", f"above {TIMES}12, unbounded")),
    ({"direction": "less", "interval": [None, -8.0], "bound": -1},
     (f"loss: a {MINUS} b", "< 0", "below -8.000, unbounded")),
    ({"direction": "ratio_less", "margin": 10, "ratio": 0.05,
      "ratio_interval": None},
     ("loss: a / b", f"< {TIMES}0.1", f"{TIMES}0.050")),
  ],
)  # fmt: skip
def test_claims(fields, cells):
  table = summary_tables(summary(claims=[claim(**fields)]))[0]
  assert table.rows[0][1:4] == cells


def test_what_a_source_says_stands_beside_the_claim():
  reason = "the ratio is known only to be at most this"
  said = "14 times fewer steps"
  quoted = claim(published=said, verdict="undecided", reason=reason)
  table = summary_tables(summary(claims=[quoted, claim(seeds=2)]))[0]
  assert table.columns[-3:] == ("seeds", "published", "verdict")
  assert [row[-2] for row in table.rows] == ["14 times fewer steps", NONE]
  assert table.notes[-1] == (
    "undecided: c: the ratio is known only to be at most this"
  )
  assert not table.is_number(table.columns.index("published"))


def grid(arm, diverged=0):
  return {
    "arm": arm, "metric": "validation_accuracy", "threshold": 0.9, "step": 20,
    "fields": ["optimizer.learning_rate", "model.init"],
    "points": [[0.1, "he"], [1.0, "he"]], "seeds": [3, 3],
    "diverged": [0, diverged],
    "metrics": {"test_accuracy": {"mean": [0.5, None], "std": [0.1, None]}},
  }  # fmt: skip


def test_a_grid_has_a_table_of_its_arms_and_one_of_its_points():
  entries = [
    entry("trained_fraction", arm="a", mean=0.5, std=0.0),
    entry("largest_learning_rate", arm="a", mean=1.0, bounds=bounded(3, 0)),
    entry("trained_fraction", arm="b", mean=0.25, std=0.1),
  ]
  found = summary(entries, grids=[grid("a"), grid("b", diverged=2)])
  whole, points = summary_tables(found)
  assert whole.title == "t (after 20 steps): over the whole grid"
  assert whole.columns == ("", "a", "b")
  assert whole.rows == (
    ("trained fraction", "0.5000 ± 0.0000", "0.2500 ± 0.1000"),
    ("largest learning rate", "≥ 1 (3 of 3)", NONE),
    ("runs that diverged", "0 of 6", "2 of 6"),
  )
  assert "trained: validation accuracy of at least 0.9, at 2 points" in (
    whole.notes
  )
  assert points.columns == ("learning rate", "init", "a", "b")
  assert points.rows == (
    ("0.1", "he", "0.5000 ± 0.1000", "0.5000 ± 0.1000"),
    ("1", "he", NONE, f"{NONE} (2 of 3 diverged)"),
  )


def test_how_far_the_values_of_a_grid_lie_apart_is_said():
  points = [[rate, scale] for rate in (0.1, 1.0, 10.0) for scale in (1, 2)]
  found = grid("a") | {"points": points, "seeds": [3] * 6, "diverged": [0] * 6}
  found["metrics"] = {}
  entries = [entry("trained_fraction")]
  (whole, _) = summary_tables(summary(entries, grids=[found]))
  assert "largest learning rate: among values a factor of 10 apart" in (
    whole.notes
  )


def test_many_arms_are_lines_and_many_points_have_no_table():
  arms = [f"arm_{i}" for i in range(5)]
  entries = [entry("trained_fraction", arm=arm) for arm in arms]
  whole, points = summary_tables(summary(entries, grids=[*map(grid, arms)]))
  assert whole.columns == ("arm", "trained fraction")
  assert points.columns == ("learning rate", "init", "arm", "test accuracy")
  assert len(points.rows) == 10
  many = grid("arm_0") | {"points": [[i, "he"] for i in range(25)]}
  assert len(summary_tables(summary(entries[:1], grids=[many]))) == 1


def test_a_table_of_layers():
  layers = {
    "name": "deep", "title": "Variance", "probe": "variance", "step": 0,
    "geometric": True, "layers": ["h_1", "h_2"], "seeds": 3,
    "arms": {"a": [1.5, 1e-40], "b": [None, 2.0]},
  }  # fmt: skip
  (table,) = summary_tables(summary(layers=[layers]))
  assert table.columns == ("layer", "a", "b")
  assert table.rows == (("h_1", "1.500", NONE), ("h_2", "1e-40", "2.000"))
  assert table.notes[-1] == "geometric mean of 3 seeds"


def test_a_summary_of_before_grids_and_ratios_still_has_tables():
  old = summary([{k: v for k, v in entry().items() if k not in (
    "bounds", "ratio", "ratio_interval")}])  # fmt: skip
  del old["grids"], old["layers"]
  assert summary_tables(old)[0].rows[0] == (
    "a", "2.000 ± 0.500", "[1.000, 3.000]",
  )  # fmt: skip
