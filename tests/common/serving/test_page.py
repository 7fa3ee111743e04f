"""The page at `/`, in Chromium without a window.

Screenshots of all it shows go to the folder that PAGE_SHOTS names.
"""

import importlib.util
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

from tests.support import page

MISSING = [
    name
    for name, is_missing in {
        "selenium": not importlib.util.find_spec("selenium"),
        "chromium": not page.find_browser()[0],
        "chromedriver": not page.find_browser()[1],
    }.items()
    if is_missing
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]
TOKEN = "secret"
WIDTHS = {"wide": 1200, "narrow": 320}
SECONDS = 20
# Of text that is large, 3 to 1 is enough; ours has more everywhere.
CONTRAST = 4.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    page.save_all(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with page.serve(folder) as (url, _):
        yield url


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    name = os.environ.get("PAGE_SHOTS")
    folder = pathlib.Path(name) if name else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    driver = page.open_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium):
    chromium.get("about:blank")
    chromium.get_log("browser")
    resize(chromium, "wide")
    yield chromium
    resize(chromium, "wide")


def resize(browser, width, height=900):
    size = {"width": WIDTHS[width], "height": height}
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        size | {"deviceScaleFactor": 1, "mobile": False},
    )


def set_media(browser, **features):
    """Such as prefers_color_scheme="dark"."""
    named = [
        {"name": name.replace("_", "-"), "value": value}
        for name, value in features.items()
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": named})


def wait(browser, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, SECONDS, 0.02).until(lambda _: condition())


def all_of(browser, selector):
    return browser.find_elements("css selector", selector)


def one(browser, selector):
    return wait(browser, lambda: all_of(browser, selector))[0]


def text(browser, selector):
    return one(browser, selector).get_attribute("textContent").strip()


def choose(browser, server, name):
    """Opens the page at a model."""
    browser.get("about:blank")
    browser.get(f"{server}#{name}")
    wait(browser, lambda: text(browser, "#model-name"))


def wait_for_answer(browser):
    """Waits until an answer or an error stands there; returns the answer."""
    wait(
        browser,
        lambda: (
            "Answered in" in text(browser, "#status") or text(browser, "#error")
        ),
    )
    assert text(browser, "#error") == ""
    return text(browser, "#status").rpartition(" Answered")[0]


def wait_for_error(browser):
    return wait(browser, lambda: text(browser, "#error"))


def forget(browser):
    """Empties what was told, so that what comes is told anew."""
    script = "for (const id of ['status', 'error'])"
    script += "document.getElementById(id).textContent = ''"
    browser.execute_script(script)


def ask(browser):
    forget(browser)
    one(browser, "#ask").click()


def click_example(browser, number=0):
    one(browser, "#examples button")
    forget(browser)
    all_of(browser, "#examples button")[number].click()
    return wait_for_answer(browser)


def drop(browser, tmp_path, *files):
    """Chooses files, given as names and contents."""
    for name, content in files:
        (tmp_path / name).write_bytes(content)
    forget(browser)
    paths = "\n".join(str(tmp_path / name) for name, _ in files)
    one(browser, "input[type=file]").send_keys(paths)


def table(browser, selector):
    """The texts of a table, row by row, without its header."""
    rows = all_of(browser, f"{selector} tbody tr")
    return [
        [
            cell.get_attribute("textContent")
            for cell in row.find_elements("css selector", "th, td")
        ]
        for row in rows
    ]


def evaluate(browser, module, expression):
    """Evaluates an expression with what a module of the page exports."""
    script = """
        const done = arguments[1];
        import(new URL(arguments[0], document.baseURI))
            .then((m) => EXPRESSION)
            .then((value) => done({ value }), (e) => done({ e: e.message }));
    """
    script = script.replace("EXPRESSION", expression)
    return browser.execute_async_script(script, f"page/{module}.js")


def test_the_models_are_listed_and_the_choice_is_in_the_address(
    browser, server
):
    browser.get(server)
    links = wait(browser, lambda: all_of(browser, "#models a"))
    assert [link.text for link in links] == [
        "<hostile> version 1",
        "captioning version 1",
        "chords version 1",
        "other version 1",
        "sentiment version 1",
        "translation version 1",
        "video_tagging version 2",
    ]
    links[5].click()
    wait(browser, lambda: text(browser, "#model-name") == "translation")
    assert browser.current_url == f"{server}#translation"
    assert links[5].get_attribute("aria-current") == "page"
    browser.refresh()
    wait(browser, lambda: text(browser, "#model-name") == "translation")
    browser.execute_script("location.hash = '#sentiment'")
    wait(browser, lambda: text(browser, "#model-name") == "sentiment")
    browser.back()
    wait(browser, lambda: text(browser, "#model-name") == "translation")
    # Of a model that is gone, the first one.
    choose(browser, server, "100%nothing")
    assert text(browser, "#model-name") == "<hostile>"


def test_text_to_label_and_words(browser, server):
    choose(browser, server, "sentiment")
    examples = [x.text for x in all_of(browser, "#examples button")]
    assert examples[:2] == [
        "A wonderful and surprising film.",
        "A wonderful film, and never dull.",
    ]
    assert click_example(browser) == "positive, 95.0 %."
    assert [row[:2] for row in table(browser, ".bars")] == [
        ["positive", "95.0 %"],
        ["negative", "5.0 %"],
    ]
    words = wait(browser, lambda: all_of(browser, ".words span"))
    assert [word.text for word in words] == examples[0].split()
    # 1, 9, 3, 10 and 5 letters, squared.
    assert words[3].get_attribute("title") == "46.3 %"
    rows = table(browser, "#results details")
    assert rows[0] == ["A", "0.5 %"]
    assert len(rows) == len(words)
    card = one(browser, "#card-text").get_attribute("textContent")
    assert "<b>English</b>" in card


def test_ctrl_enter_asks_and_recent_questions_can_be_asked_again(
    browser, server
):
    from selenium.webdriver.common.keys import Keys

    choose(browser, server, "sentiment")
    area = one(browser, "textarea")
    area.send_keys("Simply sad!", Keys.CONTROL, Keys.ENTER)
    assert wait_for_answer(browser) == "negative, 98.0 %."
    assert area.get_property("value") == "Simply sad!"
    click_example(browser)
    wait(browser, lambda: len(all_of(browser, "#recent button")) == 2)
    all_of(browser, "#recent button")[1].click()
    wait(browser, lambda: text(browser, "#status").startswith("negative"))
    assert area.get_property("value") == "Simply sad!"
    browser.refresh()
    one(browser, "#examples button")
    assert not all_of(browser, "#recent button")
    ask(browser)
    error = "Write a text first, or choose an example."
    assert wait_for_error(browser) == error
    active = browser.switch_to.active_element
    assert active.tag_name == "textarea"


def test_the_curl_line_works_when_pasted(browser, server):
    choose(browser, server, "sentiment")
    area = one(browser, "textarea")
    area.send_keys('It\'s sad: $HOME "here" \\ `ls`')
    ask(browser)
    wait_for_answer(browser)
    line = text(browser, "#shell code")
    assert line.startswith("curl -d '{")
    answer = subprocess.run(
        line.replace("curl", "curl -s", 1),
        shell=True,
        capture_output=True,
        check=True,
    )
    assert json.loads(answer.stdout)["outputs"]["label"] == ["negative"]
    one(browser, "#shell button").click()
    wait(browser, lambda: text(browser, "#shell button") == "Copied")


def test_picture_to_caption_and_where_each_word_looked(
    browser, server, tmp_path
):
    from selenium.webdriver.common.keys import Keys

    choose(browser, server, "captioning")
    drop(browser, tmp_path, ("scene.png", page.make_png()))
    caption = " ".join(page.CAPTION)
    assert wait_for_answer(browser) == f"{caption}."
    wait(browser, lambda: all_of(browser, ".overlay"))
    assert text(browser, ".chosen") == "scene.png"
    chips = [chip.text for chip in all_of(browser, "fieldset label")]
    assert chips == ["whole picture", *page.CAPTION]
    assert not one(browser, ".overlay").is_displayed()
    # By arrow keys, from the first one.
    radio = one(browser, "fieldset input")
    radio.send_keys(Keys.ARROW_RIGHT)
    place = "#results p[aria-live]"
    assert text(browser, place).startswith("“a” looked most at the top left (")
    assert one(browser, ".overlay").is_displayed()
    all_of(browser, "fieldset label")[-1].click()
    expected = "“circle” looked most at the bottom right ("
    assert text(browser, place).startswith(expected)
    # The overlay is clear where the word looked most, dark elsewhere.
    alphas = browser.execute_script(
        "const c = arguments[0];"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        "return [...d.data].filter((_, i) => i % 4 === 3)",
        one(browser, ".overlay"),
    )
    assert len(alphas) == page.GRID**2
    assert alphas[-1] == 0
    assert alphas[0] > 200
    assert one(browser, ".stage img").get_attribute("alt") == caption


def test_pictures_that_are_none_are_told_in_a_sentence(
    browser, server, tmp_path
):
    choose(browser, server, "captioning")
    ask(browser)
    error = "Choose a picture first, or an example."
    assert wait_for_error(browser) == error
    drop(browser, tmp_path, ("notes.png", b"no picture"))
    expected = "notes.png is no picture that this browser can read."
    wait(browser, lambda: text(browser, "#error") == expected)
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(46 * 2**20)
    one(browser, "input[type=file]").send_keys(str(large))
    expected = "large.png is too large: 46 MB, of at most 45."
    wait(browser, lambda: text(browser, "#error") == expected)


def test_a_file_can_be_dropped(browser, server):
    choose(browser, server, "captioning")
    forget(browser)
    browser.execute_script(
        """
        const text = atob(arguments[1]);
        const bytes = Uint8Array.from(text, (x) => x.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], "dropped.png"));
        const options = { dataTransfer, bubbles: true, cancelable: true };
        arguments[0].dispatchEvent(new DragEvent("drop", options));
        """,
        one(browser, ".drop"),
        page.encode64(page.make_png()),
    )
    assert wait_for_answer(browser).startswith("a red")
    assert text(browser, ".chosen") == "dropped.png"


def test_pictures_of_other_formats_are_sent_as_png(browser, server, tmp_path):
    from PIL import Image

    choose(browser, server, "captioning")
    Image.fromarray(page.make_picture()).save(tmp_path / "scene.webp")
    one(browser, "input[type=file]").send_keys(str(tmp_path / "scene.webp"))
    assert wait_for_answer(browser).startswith("a red")


def test_text_to_translation_and_attention(browser, server):
    choose(browser, server, "translation")
    best = " ".join(page.TARGET)
    assert click_example(browser) == best
    wait(browser, lambda: all_of(browser, ".heatmap"))
    assert text(browser, ".verdict") == best
    wait(browser, lambda: len(table(browser, "#results .scroller")) > 2)
    rows = table(browser, "#results > div:nth-child(2)")
    assert rows == [
        ["1", best, "-0.100"],
        ["2", "Le petit chat dort .", "-1.500"],
    ]
    headers = all_of(browser, ".heatmap thead th")
    assert [header.text for header in headers] == page.SOURCE
    assert all(header.get_attribute("scope") == "col" for header in headers)
    cells = table(browser, ".heatmap")
    assert [row[0] for row in cells] == page.TARGET
    assert cells[2] == ["chats", "5", "5", "5", "75", "5", "5"]


def test_video_to_timeline(browser, server):
    choose(browser, server, "video_tagging")
    answer = click_example(browser)
    assert answer == (
        "4 segments in 3.00 s: still from 0.00 s, left from 0.75 s, right from"
        " 1.50 s, and so on."
    )
    assert table(browser, "#results details")[1] == [
        "left",
        "0.75 s",
        "1.50 s",
        "70.0 %",
    ]
    blocks = all_of(browser, ".track .tag")
    assert [block.text for block in blocks] == ["1", "2", "3", "4"]
    patterns = {block.get_attribute("class").split()[1] for block in blocks}
    assert len(patterns) == len(blocks)  # More than colours tell them apart.
    names = [item.text for item in all_of(browser, ".legend li")]
    assert names[1] == "2left 25.0 %"
    blocks[2].click()
    assert text(browser, "output") == "1.50 s: right"
    slider = one(browser, "input[type=range]")
    assert slider.get_attribute("aria-valuetext") == "1.50 s: right"
    # The same frames at another rate: other times.
    rate = one(browser, "input[type=number]")
    rate.clear()
    rate.send_keys("8")
    ask(browser)
    wait(browser, lambda: "in 1.50 s" in text(browser, "#status"))
    rate.clear()
    rate.send_keys("900")
    ask(browser)
    # The browser's own check may speak first.
    wait(
        browser,
        lambda: (
            text(browser, "#error")
            or browser.switch_to.active_element.get_attribute("type")
            == "number"
        ),
    )


def test_pictures_are_the_frames_of_a_video_in_their_order(
    browser, server, tmp_path
):
    choose(browser, server, "video_tagging")
    lights = {1: 32, 2: 96, 10: 224}
    files = [
        (f"frame{number}.png", page.encode_png(np.full([20, 30, 3], light)))
        for number, light in reversed(lights.items())
    ]
    drop(browser, tmp_path, *files)
    assert wait_for_answer(browser) == (
        "3 segments in 0.75 s: still from 0.00 s, left from 0.25 s, up from"
        " 0.50 s."
    )


def test_a_video_file_is_sampled_at_the_rate(browser, server, tmp_path):
    pytest.importorskip("av")
    content = page.make_video([32] * 10 + [160] * 10, rate=10)
    choose(browser, server, "video_tagging")
    drop(browser, tmp_path, ("film.webm", content))
    assert wait_for_answer(browser) == (
        "2 segments in 2.00 s: still from 0.00 s, right from 1.00 s."
    )
    rate = one(browser, "input[type=number]")
    rate.clear()
    rate.send_keys("2")
    ask(browser)
    wait_for_answer(browser)
    slider = one(browser, "input[type=range]")
    assert slider.get_attribute("max") == "3"
    drop(browser, tmp_path, ("broken.mp4", b"no video"))
    expected = (
        "broken.mp4 is no video that this browser can read. Most read WebM,"
        " and MP4 with H.264."
    )
    wait(browser, lambda: text(browser, "#error") == expected)


def test_features_to_a_row_for_each_tag(browser, server, tmp_path):
    choose(browser, server, "chords")
    features = np.full([8, 3], -2.0)
    features[:4, 0] = features[2:6, 2] = 2
    answer = "2 segments in 2.00 s: C4 from 0.00 s, G4 from 0.50 s."
    saved = {
        "time_first": page.make_npy(features.astype("f4")),
        "double": page.make_npy(features),
        "fortran": page.make_npy(features, "F"),
        "features_first": page.make_npy(features.T.astype("f4")),
        "batch": page.make_npy(features[None].astype("f4")),
    }
    for name, content in saved.items():
        drop(browser, tmp_path, (f"{name}.npy", content))
        wait(browser, lambda name=name: name in text(browser, "#recent"))
        assert wait_for_answer(browser) == answer, name
    names = [row.text for row in all_of(browser, ".row-name")]
    assert names == ["C4", "G4"]
    wrong = {
        "shape": (
            page.make_npy(np.ones([2, 4], "f4")),
            "Expected the shape [any, 3], got [2, 4].",
        ),
        "integers": (
            page.make_npy(np.ones([2, 3], "i8")),
            "Expected an array of float32 or float64, got <i8.",
        ),
        "nan": (
            page.make_npy(np.full([2, 3], np.nan, "f4")),
            "The file has values that are infinite, or no numbers.",
        ),
        "cut": (
            page.make_npy(features)[:-1],
            "This .npy file is damaged: it is cut, or too long.",
        ),
        "text": (
            b"no array",
            "This is no .npy file, as numpy.save writes them.",
        ),
    }
    for name, (content, message) in wrong.items():
        drop(browser, tmp_path, (f"{name}.npy", content))
        wait(browser, lambda text_=message: text(browser, "#error") == text_)


def test_other_models_have_an_editor_of_json(browser, server):
    choose(browser, server, "other")
    area = one(browser, "textarea")
    template = json.loads(area.get_property("value"))
    assert template == {"names": [""], "x": [[0, 0]]}
    assert "x: float32 [any, 2]" in text(browser, "#input .hint")
    area.clear()
    area.send_keys('{"names": ["a"], "x": [[1, -1]]}')
    ask(browser)
    assert wait_for_answer(browser) == "The model answered."
    # As it came, with what JSON lacks.
    assert "NaN" in text(browser, "#raw")
    area.clear()
    area.send_keys('{"names": ["a"], "x": [[1]]}')
    ask(browser)
    error = wait_for_error(browser)
    assert error.startswith("The model refused this: x: expected shape [?, 2]")
    area.clear()
    area.send_keys("{")
    ask(browser)
    wait(
        browser,
        lambda: text(browser, "#error").startswith("The inputs are no JSON:"),
    )


def test_nothing_of_strangers_is_taken_for_html(browser, server):
    choose(browser, server, "%3Chostile%3E")
    assert text(browser, "#model-name") == "<hostile>"
    click_example(browser)
    assert text(browser, ".verdict") == page.HOSTILE
    assert not all_of(browser, "img[src=x]")
    assert browser.title != "broken"
    assert not browser.get_log("browser")  # Nor was anything blocked.


def test_a_token_is_asked_for_and_kept_for_the_tab(browser, folder):
    with page.serve(folder, token=TOKEN) as (url, _):
        browser.get(f"{url}#sentiment")
        field = wait(browser, lambda: one(browser, "#token"))
        wait(browser, field.is_displayed)
        field.send_keys("wrong\n")
        wait(browser, lambda: "not the server's" in text(browser, "#error"))
        wait(browser, field.is_displayed)
        field.send_keys(f"{TOKEN}\n")
        wait(browser, lambda: text(browser, "#model-name"))
        assert not field.is_displayed()
        click_example(browser)
        line = text(browser, "#shell code")
        assert '-H "Authorization: Bearer $SERVING_TOKEN"' in line
        assert TOKEN not in browser.page_source
        browser.refresh()
        wait(browser, lambda: text(browser, "#model-name"))
        assert not one(browser, "#token").is_displayed()


def test_a_server_that_is_gone_is_told_in_a_sentence(browser, folder):
    with page.serve(folder) as (url, _):
        choose(browser, url, "sentiment")
    all_of(browser, "#examples button")[0].click()
    error = "The server cannot be reached: is it still running?"
    assert wait_for_error(browser) == error
    assert not one(browser, "#answer").is_displayed()


def test_a_large_request_is_told_in_a_sentence(browser, folder):
    with page.serve(folder, max_bytes=40) as (url, _):
        choose(browser, url, "sentiment")
        all_of(browser, "#examples button")[0].click()
        assert wait_for_error(browser) == (
            "This is too large: expected at most 40 bytes in one request: split"
            " it."
        )


def test_models_that_load_or_failed_are_told(browser, tmp_path):
    broken = tmp_path / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"damaged")
    other = page.Other()
    page.save(other, tmp_path / "other" / "1", {})
    with page.serve(tmp_path) as (url, handlers):
        choose(browser, url, "other")
        assert text(browser, "#waiting").startswith("broken cannot be loaded:")
        assert len(all_of(browser, "#models a")) == 1
        # A model that comes later.
        version = handlers.models.statuses("broken")[0]
        version.error = ""
        browser.refresh()
        loading = "broken is being loaded."
        wait(browser, lambda: text(browser, "#waiting") == loading)
        with handlers.models.lease("other") as (ready, _):
            version.model, version.state = ready.model, ready.state
        wait(browser, lambda: len(all_of(browser, "#models a")) == 2)
        version.model, version.state = None, "END"


def test_it_works_behind_a_prefix(browser, server):
    choose(browser, f"{server}some/prefix/", "sentiment")
    assert click_example(browser) == "positive, 95.0 %."
    address = f"{server}some/prefix/v1/models/sentiment:predict"
    assert address in text(browser, "#shell code")


def test_all_that_can_be_used_has_a_name_and_a_focus(browser, server):
    for name in ("sentiment", "captioning", "video_tagging"):
        choose(browser, server, name)
        click_example(browser)
        if name == "captioning":
            wait(browser, lambda: all_of(browser, "fieldset"))
        tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})
        nodes = [x for x in tree["nodes"] if not x.get("ignored")]
        roles = {"button", "link", "textbox", "radio", "slider", "spinbutton"}
        used = [x for x in nodes if x["role"]["value"] in roles]
        assert len(used) > 5
        assert all(x["name"]["value"].strip() for x in used), name
        for element in all_of(browser, "a, button, textarea, summary"):
            if not element.is_displayed():
                continue
            browser.execute_script(
                "arguments[0].focus({focusVisible: true})", element
            )
            outline = browser.execute_script(
                "return getComputedStyle(arguments[0]).outlineStyle", element
            )
            assert outline == "solid", element.get_attribute("outerHTML")


def test_texts_stand_out_in_the_light_and_in_the_dark(browser, server):
    for scheme in ("light", "dark"):
        set_media(browser, prefers_color_scheme=scheme)
        for name in ("sentiment", "translation", "video_tagging"):
            choose(browser, server, name)
            click_example(browser)
            weak = browser.execute_script(CONTRAST_SCRIPT, CONTRAST)
            assert not weak, (scheme, name, weak)
    set_media(browser, prefers_color_scheme="light")


def test_nothing_moves_for_those_who_want_it_so(browser, server):
    durations = []
    for motion in ("no-preference", "reduce"):
        set_media(browser, prefers_reduced_motion=motion)
        choose(browser, server, "sentiment")
        click_example(browser)
        script = "return getComputedStyle(arguments[0]).transitionDuration"
        durations.append(browser.execute_script(script, one(browser, ".fill")))
    assert durations == ["0.3s", "0s"]


def test_numbers_that_json_lacks_are_read_outside_of_texts(browser, server):
    choose(browser, server, "sentiment")
    answer = evaluate(
        browser,
        "server",
        'm.parseJson(`{"a": [NaN, -Infinity, 1], "b": "NaN \\\\" Infinity"}`)'
        ".a[1] === -Infinity",
    )
    assert answer == {"value": True}


def test_screenshots(browser, server, shots):
    for name in (
        "sentiment",
        "captioning",
        "translation",
        "video_tagging",
        "other",
    ):
        for scheme in ("light", "dark"):
            set_media(browser, prefers_color_scheme=scheme)
            for width in WIDTHS:
                resize(browser, width)
                choose(browser, server, name)
                if name == "other":
                    ask(browser)
                    wait_for_answer(browser)
                else:
                    click_example(browser)
                if name == "captioning":
                    wait(browser, lambda: all_of(browser, "fieldset"))
                    all_of(browser, "fieldset label")[3].click()
                size = browser.execute_script(
                    "const e = document.documentElement;"
                    "return [e.scrollWidth, e.scrollHeight, innerWidth]"
                )
                assert size[0] <= size[2], "it scrolls sideways"
                resize(browser, width, size[1])
                path = shots / f"{name}-{scheme}-{width}.png"
                browser.save_screenshot(str(path))
                assert path.stat().st_size > 5000
    set_media(browser, prefers_color_scheme="light")


# Returns what has less contrast to what is behind it (WCAG 2.2, 1.4.3).
CONTRAST_SCRIPT = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d",
    { willReadFrequently: true });
// Any colour of CSS over another one, as bytes.
const paint = (...colours) => {
  canvas.clearRect(0, 0, 1, 1);
  for (const colour of colours) {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
  }
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const luminance = (bytes) => {
  const [r, g, b] = bytes.slice(0, 3).map((x) => x / 255)
    .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  const colours = [];
  for (let e = element; e; e = e.parentElement) {
    colours.unshift(getComputedStyle(e).backgroundColor);
  }
  return colours;
};
const weak = [];
for (const element of document.querySelectorAll("body *")) {
  const hasText = [...element.childNodes].some(
    (node) => node.nodeType === 3 && node.data.trim());
  if (!hasText || !element.checkVisibility() ||
      element.closest(".unseen, noscript")) continue;
  const back = behind(element);
  const colour = getComputedStyle(element).color;
  const values = [paint(...back), paint(...back, colour)].map(luminance);
  const ratio = (Math.max(...values) + 0.05) / (Math.min(...values) + 0.05);
  if (ratio < arguments[0]) {
    weak.push([element.tagName, element.textContent.slice(0, 30), ratio]);
  }
}
return weak;
"""
