import io

import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from bnjax.report import Table, print_tables, summary_tables
from bnjax.report.numbers import format_spread, format_value
from bnjax.report.render import NONE, escape_markdown, to_html, to_markdown
from bnjax.results import summarize

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


def config(dataset="mnist", **changes):
  return {
    "title": "A test",
    "dataset": {"name": dataset},
    "steps": 20,
    "seeds": 2,
    "arms": {"batch_norm": {}, NASTY: {}},
    "published": {
      "batch_norm": {
        "test_accuracy": PUBLISHED,
        "loss": {"steps": [10, 20], "values": [14.756, 6.411], **changes},
      }
    },
    "claims": {
      "c": {
        "text": "batch norm helps",
        "metric": "test_accuracy",
        "arm": "batch_norm",
        "versus": NASTY,
      }
    },
    "notes": ["a note"],
  }


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


def tables(**kwargs):
  return summary_tables(summarize(config(**kwargs), ENVIRONMENT, rows()))


def test_results_table_holds_the_literal_numbers():
  results = tables()[0]
  assert results.title == "A test (after 20 steps)"
  assert results.columns == (
    "arm", "test accuracy", "95% interval", "seeds", "diverged", "published",
    "difference", "verdict",
  )  # fmt: skip
  # 0.91 +- 12.7062 * 0.01; Welch: 0.0247 +- t(3.56) * sqrt(.01^2 + .0079^2/4)
  assert results.rows[0][:6] == (
    "batch_norm", "0.9100 ± 0.0100", "[0.7829, 1.0371]", "2", "0",
    "0.8853 ± 0.0079",
  )  # fmt: skip
  assert results.rows[0][6].startswith("+0.0247 [-")
  assert results.rows[0][7] == "holds"
  assert results.rows[1][:2] == (NASTY, "0.2000 ± 0.1000")
  assert results.rows[1][3:] == ("2", "1", NONE, NONE, NONE)


def test_results_table_states_the_data_and_what_happened():
  assert tables()[0].notes == (
    "data: MNIST; train 55,000, validation 5,000, test 10,000; digest abc123",
    "mean ± standard deviation over seeds (divided by n, as published); "
    "brackets: 95% Student t interval; diverged runs are among the seeds",
    f"{NASTY}: seed 1 diverged at step 15",
    "published: a post",
    "a note",
  )


def test_another_data_set_is_named_and_the_difference_still_stated():
  results = tables(dataset="mnist5k")[0]
  assert results.rows[0][6:] == ("+0.0247", "cannot be compared")
  assert (
    "cannot be compared: measured on mnist5k, published on mnist (batch_norm)"
    in results.notes
  )


def test_a_published_metric_that_is_not_the_headline_gets_a_row():
  settings = config()
  settings["published"][NASTY] = {"loss": {**PUBLISHED, "mean": 2.0}}
  results = summary_tables(summarize(settings, ENVIRONMENT, rows()))[0]
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
  assert row[2:] == ("> 0", "+0.7100 [-0.4336, +1.8536]", "2", "undecided")


def test_loss_table_has_the_published_curve_and_both_parts():
  losses = tables(dataset="mnist5k", source="a post")[2]
  assert losses.columns == (
    "step", "loss, ours", "published", "data loss", "l2 loss",
  )  # fmt: skip
  assert losses.rows[1] == ("20", "3.000 ± 0.000", "6.411", "2.000", "1.000")
  assert losses.notes[0] == "published: a post"


def test_a_run_that_reached_no_published_step_has_no_loss_table():
  assert len(tables()) == 3
  assert len(tables(steps=[100], values=[1.0])) == 2


def test_loss_table_of_another_data_set_says_so():
  settings = config(dataset="mnist5k")
  settings["published"]["batch_norm"]["loss"]["dataset"] = "mnist"
  losses = summary_tables(summarize(settings, ENVIRONMENT, rows()))[2]
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


@given(st.text())
def test_a_markdown_row_has_as_many_cells_whatever_is_in_it(text):
  table = Table("t", ("a", "b"), ((text, "x"),))
  row = to_markdown(table).splitlines()[4]
  bars = row.replace("\\\\", "").replace("\\|", "").count("|")
  assert bars == 3
  assert "<" not in escape_markdown(text)


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


def test_a_wide_table_is_not_broken_where_there_is_no_terminal():
  table = Table("t", ("a", "b"), (("x" * 90, "y" * 90),))
  assert "x" * 90 + " " in printed(table, width=40)


def test_numbers_are_aligned_to_the_right_and_words_to_the_left():
  table = Table(
    "t", ("w", "n"), (("word", "+1.5"), ("1", NONE), ("x", "[0, 1]"))
  )
  assert [table.is_number(i) for i in (0, 1)] == [False, True]
  assert "| --- | --: |" in to_markdown(table)
