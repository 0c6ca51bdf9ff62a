"""The page in a browser: headless Chromium, driven by Playwright."""

import csv
import itertools
import pathlib
import shutil

import numpy as np
import pytest

from bnjax.lab import report, results
from bnjax.lab.experiment.pictures import sprite

sync_api = pytest.importorskip("playwright.sync_api")
NASTY = "<script>alert(1)</script>"
ARMS = ("batch_norm", NASTY)
NUMBER = results.PublishedNumber(
  arm="batch_norm", metric="test_accuracy", mean=0.6, std=0.1, seeds=5,
  step=20, source="a post", dataset="mnist",
)  # fmt: skip
RULES = results.Rules(
  title="A test of <b>",
  published=(NUMBER,),
  claims={"c": results.greater("It is better", "batch_norm", NASTY)},
)
CONFIG = {
  "dataset": {"name": "mnist"}, "steps": 20,
  "seeds": 2, "batch_size": 50, "norm": {"name": "batch_norm"},
  "arms": {"batch_norm": {}, NASTY: {"norm": {"name": "none"}}},
  "probes": {"activations": {"measure": "histogram"},
             "gradients": {"measure": "log10_histogram"},
             "size": {"measure": "variance"},
             "middle": {"measure": "percentiles", "q": [15, 50, 85]}},
}  # fmt: skip
ENVIRONMENT = {"command": "python scripts/train.py --config=x",
               "datasets": [{"name": "mnist", "train": 100}]}  # fmt: skip
SCALE, RATE = "model.init_scale", "optimizer.learning_rate"
TIMEOUT = 120_000  # milliseconds: against hanging, not a measurement
# Everything has been drawn or answers.
COMPLETE = "performance.getEntriesByName('bnjax:complete').length"


def start(folder, config, rules):
  results.write_rules(folder, rules)
  results.write_json(folder / "config.json", {"config": config})
  results.write_json(folder / "environment.json", ENVIRONMENT)
  return folder


def make_run(folder):
  start(folder, CONFIG, RULES)
  runs = [
    {"arm": arm, "seed": seed, "step": step}
    for arm, seed, step in itertools.product(ARMS, (0, 1), (0, 10, 20))
  ]
  results.append_rows(folder / "metrics.jsonl", [
    run | {"test_accuracy": 0.2 + run["seed"] / 10 + run["step"] / 100,
           "loss": 10.0 ** (-run["step"] / 10), "diverged_step": None}
    for run in runs])  # fmt: skip
  edges = [0.0, 1.0, 2.0]
  probes = lambda step: {
    "activations": {"values": [1 + step, 3], "edges": edges},
    "gradients": {"values": [3, 1 + step], "edges": edges},
    "size": {"values": 4.0}, "middle": {"values": [-1.0, 0.0, 1.0]},
  }  # fmt: skip
  results.append_rows(folder / "probes.jsonl", [
    run | {"probe": name, "layer": f"layer_{i}"} | own
    for run in runs for name, own in probes(run["step"]).items()
    for i in (1, 2)])  # fmt: skip
  # Of 60 images the first arm errs in 10, the second in 5 of these and in
  # 10 others.
  wrong = {ARMS[0]: range(10), ARMS[1]: range(5, 20)}
  places = sprite(folder / "predictions.png", np.full((60, 4, 4, 1), 9,
                  np.uint8), np.arange(60))  # fmt: skip
  results.append_rows(folder / "predictions.jsonl", [
    {"index": i, "label": 3, "disagreement": i / 60, "image": places[i],
     "arms": {arm: {"prediction": 4 if i in wrong[arm] else 3,
                    "confidence": 0.4 if i < 7 else 0.95, "right": 0.5}
              for arm in ARMS}} for i in range(60)])  # fmt: skip
  results.write_summary(folder)


def make_grid(folder):
  config = {"steps": 20, "arms": {"a": {}, "b": {}},
            "grid": {RATE: (0.1, 1.0), SCALE: (0.5, 1.0)}}  # fmt: skip
  start(folder, config, results.Rules(title="A grid",
        grid_metric="test_accuracy"))  # fmt: skip
  results.append_rows(folder / "metrics.jsonl", [
    {"arm": arm, "seed": 0, "step": step, "point": {RATE: rate, SCALE: scale},
     "test_accuracy": rate * step / 20, "loss": 3.0, "diverged_step": None}
    for arm, rate, scale, step in itertools.product(
      "ab", (0.1, 1.0), (0.5, 1.0), (0, 20))])  # fmt: skip
  results.write_summary(folder)


@pytest.fixture(scope="module")
def browser():
  path = shutil.which("chromium") or shutil.which("google-chrome")
  if path is None:
    pytest.skip("no Chromium is installed")
  with sync_api.sync_playwright() as playwright:
    found = playwright.chromium.launch(
      executable_path=path, args=["--no-sandbox"], timeout=TIMEOUT
    )
    yield found
    found.close()


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory):
  """The page of both experiments, open, and what it complained about."""
  folder = tmp_path_factory.mktemp("runs")
  for name, make in (("1-run", make_run), ("2-grid", make_grid)):
    (folder / name).mkdir()
    make(folder / name)
  made = report.write_page([folder], folder / "page.html")
  page = browser.new_page(
    viewport={"width": 1100, "height": 900}, color_scheme="light"
  )
  page.set_default_timeout(TIMEOUT)
  page.set_default_navigation_timeout(TIMEOUT)
  said = []
  page.on("console", lambda message: said.append(message.text))
  page.on("pageerror", lambda error: said.append(str(error)))
  page.on("dialog", lambda dialog: (said.append("alert"), dialog.dismiss()))
  requests = []
  page.on("request", lambda request: requests.append(request.url))
  page.goto(pathlib.Path(made.page).as_uri())
  while not page.evaluate(COMPLETE):
    page.wait_for_timeout(100)
  yield page
  assert said == []
  web = [url for url in requests if not url.startswith(("file:", "data:"))]
  assert [url for url in web if not url.startswith("blob:")] == []


def part(page, key, experiment=1):
  """A part of the page, in view and drawn."""
  found = page.locator(f"#experiment-{experiment} [data-part={key}]")
  found.scroll_into_view_if_needed()
  if key != "predictions":
    sync_api.expect(
      found.locator(".js-plotly-plot .main-svg").first
    ).to_be_attached(timeout=TIMEOUT)
  return found


def settle(page):
  """Waits until what was asked for has been drawn."""
  page.evaluate("new Promise(f => requestAnimationFrame(() =>"
                " requestAnimationFrame(() => setTimeout(f, 0))))")  # fmt: skip


def traces(page, key, experiment=1, chart=0):
  """What Plotly has been given, without bands."""
  part(page, key, experiment)
  settle(page)
  return page.evaluate(
    """([id, key, chart]) => document.querySelectorAll(
      `#${id} [data-part=${key}] .js-plotly-plot`)[chart].data
      .filter((x) => x.fill !== "toself")
      .map((x) => ({name: x.name, y: [...(x.y ?? [])], x: [...(x.x ?? [])],
                    type: x.type, text: x.customdata, z: x.z}))""",
    [f"experiment-{experiment}", key, chart],
  )


def axis(page, key, name, chart=0):
  settle(page)
  return page.evaluate(
    """([key, name, chart]) => document.querySelectorAll(
      `#experiment-1 [data-part=${key}] .js-plotly-plot`)[chart]
      ._fullLayout[name].type""",
    [key, name, chart],
  )


def test_names_are_text(shown):
  assert shown.locator("h1").inner_text() == "Results"
  toolbar = shown.locator("#experiment-1 .toolbar")
  assert toolbar.get_by_role("button").all_inner_texts() == list(ARMS)
  names = {trace["name"] for trace in traces(shown, "curves")}
  assert names == {"batch_norm", "&lt;script&gt;alert(1)&lt;/script&gt;"}
  ticks = part(shown, "values").locator(".ytick").all_text_contents()
  assert ticks == list(ARMS)
  assert shown.locator("main script").count() == 0


def test_verdicts_and_published_numbers_are_listed(shown):
  text = shown.locator("#experiment-1").inner_text()
  assert "It is better" in text
  assert "does not hold" in text
  assert "0.6000 ± 0.1000" in text
  assert "norm.name" in text
  assert "python scripts/train.py --config=x" in text
  overview = shown.locator("nav table tbody tr")
  assert overview.first.inner_text().split("\t") == [
    "A test of <b>", "1 of 1 hold", "0 of 1 hold",
  ]  # fmt: skip


def test_arms_and_seeds_are_toggled(shown):
  assert len(traces(shown, "curves")) == 3  # two means, a published mark
  arm = shown.locator("#experiment-1 .toolbar button").nth(1)
  arm.focus()
  shown.keyboard.press("Enter")
  assert arm.get_attribute("aria-pressed") == "false"
  only = traces(shown, "curves")
  assert {trace["name"] for trace in only} == {"batch_norm"}
  assert only[0]["y"] == pytest.approx([0.25, 0.35, 0.45])
  arm.click()
  curves = part(shown, "curves")
  seed = curves.get_by_role("group", name="Seeds").get_by_role("button").first
  seed.click()
  assert traces(shown, "curves")[0]["y"] == pytest.approx([0.3, 0.4, 0.5])
  seed.click()
  curves.get_by_role("button", name="each seed").click()
  assert len(traces(shown, "curves")) == 5
  curves.get_by_role("button", name="mean and range").click()


def test_axes_and_metrics_are_chosen(shown):
  curves = part(shown, "curves")
  assert axis(shown, "curves", "yaxis") == "linear"
  curves.get_by_role("button", name="log values").click()
  assert axis(shown, "curves", "yaxis") == "log"
  curves.get_by_role("button", name="log steps").click()
  assert axis(shown, "curves", "xaxis") == "log"
  curves.get_by_label("Show").select_option(label="Loss")
  assert traces(shown, "curves")[0]["y"] == pytest.approx([1, 0.1, 0.01])
  assert axis(shown, "curves", "xaxis") == "linear"
  curves.get_by_role("button", name="epochs").click()
  assert traces(shown, "curves")[0]["x"] == [0, 5, 10]


def test_a_slider_goes_through_the_steps_of_histograms(shown):
  found = part(shown, "histograms")
  slider = found.get_by_role("slider")
  assert slider.get_attribute("aria-valuetext") == "step 20"
  last = traces(shown, "histograms")
  assert len(last) == 4  # two layers, two arms
  assert last[0]["text"] == pytest.approx([42 / 48, 6 / 48, 6 / 48])
  slider.focus()
  shown.keyboard.press("Home")
  assert found.locator("output").inner_text() == "step 0"
  first = traces(shown, "histograms")[0]
  assert first["text"] == pytest.approx([2 / 8, 6 / 8, 6 / 8])
  found.get_by_label("Probe").select_option(label="Gradients")
  assert traces(shown, "histograms")[0]["y"][1] == 1


def test_layers_and_percentiles_are_drawn(shown):
  first = traces(shown, "layers")[0]
  assert (first["x"], first["y"]) == (
    ["layer_1", "layer_2"], pytest.approx([4, 4]),
  )  # fmt: skip
  lines = traces(shown, "percentiles")
  assert [line["name"] for line in lines] == ["15%", "50%", "85%"] * 2
  assert lines[0]["y"] == [-1, -1, -1]


def test_a_map_has_values_on_hover_and_steps(shown):
  first = traces(shown, "heat_map", 2)[0]
  assert first["type"] == "heatmap"
  assert first["z"] == [[0.1, 1], [0.1, 1]]
  assert first["text"][0][1] == (
    "learning_rate: 1<br>init_scale: 0.5<br>test accuracy: 1"
  )
  slider = part(shown, "heat_map", 2).get_by_role("slider")
  slider.fill("0")
  assert traces(shown, "heat_map", 2)[0]["z"] == [[0, 0], [0, 0]]


def indices(found):
  images = found.locator("tbody .picture")
  return [int(images.nth(i).get_attribute("title").split()[-1])
          for i in range(images.count())]  # fmt: skip


def test_predictions_are_filtered_sorted_and_paged(shown):
  found = part(shown, "predictions")
  status = found.get_by_role("status")
  assert status.inner_text() == "1 to 25 of 60 images"
  assert indices(found)[:2] == [59, 58]  # by disagreement
  found.get_by_role("button", name="Next").click()
  assert status.inner_text() == "26 to 50 of 60 images"
  found.get_by_label("Show").select_option(label="wrong in one arm only")
  assert status.inner_text() == "1 to 15 of 15 images"
  assert indices(found) == [*range(19, 9, -1), *range(4, -1, -1)]
  found.get_by_label("Show").select_option(label=f"wrong in {NASTY} only")
  assert sorted(indices(found)) == [*range(10, 20)]
  found.get_by_label("Show").select_option(label="all images")
  found.get_by_label("Least confidence").select_option(label="below 50%")
  assert status.inner_text() == "1 to 7 of 7 images"
  found.get_by_role("button", name="disagreement").click()
  assert indices(found) == [*range(7)]
  header = found.locator("th[aria-sort]")
  assert header.get_attribute("aria-sort") == "ascending"
  picture = found.locator(".picture").first
  source = picture.evaluate("x => getComputedStyle(x).backgroundImage")
  assert source.startswith('url("data:image/png')


def test_data_is_downloaded_as_csv(shown, tmp_path):
  found = part(shown, "curves")
  with shown.expect_download() as download:
    found.get_by_role("button", name="Download 1-run").click()
  assert download.value.suggested_filename == "1-run-curves.csv"
  download.value.save_as(tmp_path / "x.csv")
  with (tmp_path / "x.csv").open(newline="") as file:
    rows = list(csv.reader(file))
  assert rows[0] == ["arm", "metric", "seed", "step", "value"]
  assert rows[1] == ["batch_norm", "test_accuracy", "0", "0", "0.2"]
  assert len(rows) == 1 + 2 * 2 * 2 * 3
  assert {row[0] for row in rows[1:]} == set(ARMS)


def test_the_theme_is_toggled_and_the_page_fits_a_phone(shown):
  color = lambda: shown.evaluate(
    "getComputedStyle(document.body).backgroundColor"
  )
  assert color() == "rgb(255, 255, 255)"
  shown.get_by_role("button", name="Dark").click()
  assert color() == "rgb(22, 26, 32)"
  settle(shown)
  ink = shown.evaluate(
    """document.querySelector("[data-part=curves] .js-plotly-plot")
    ._fullLayout.font.color"""
  )
  assert ink == "#e6e9ed"
  shown.set_viewport_size({"width": 360, "height": 740})
  shown.wait_for_timeout(300)
  part(shown, "curves")
  settle(shown)
  width = "document.documentElement.scrollWidth"
  assert shown.evaluate(width) <= 360
  shown.set_viewport_size({"width": 1100, "height": 900})
  shown.get_by_role("button", name="Dark").click()


def test_without_plotly_tables_and_predictions_are_there(
  browser, tmp_path, monkeypatch
):
  monkeypatch.setattr("bnjax.lab.report.page.assets.plotly", str)
  make_run(tmp_path)
  made = report.write_page([tmp_path], tmp_path / "page.html")
  page = browser.new_page()
  page.set_default_timeout(TIMEOUT)
  said = []
  page.on("console", lambda message: said.append(message.text))
  page.on("pageerror", lambda error: said.append(str(error)))
  page.goto(pathlib.Path(made.page).as_uri())
  while not page.evaluate(COMPLETE):
    page.wait_for_timeout(50)
  assert "plotly is not installed" in page.locator(".warning").inner_text()
  assert page.locator("[data-part]").count() == 1
  assert page.get_by_role("status").inner_text() == "1 to 25 of 60 images"
  assert said == []
