"""The page, in a real Chromium: by mouse, by keyboard alone, for a screen reader, with nothing leaving this machine.

Without a browser these tests fail: install Chromium, or set CARABIN_NO_BROWSER=1 to leave them out (not in CI).
"""

import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from carabin import Annotator
from tests.carabin.live_service import Gate, ask, metric, running, wait_for

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
TEXT = "😀 Une fièvre aiguë,\npas de dyspnée : paracétamol."
HOSTILE = """<img src=x onerror="alert(1)"><script>alert(2)</script> fièvre &amp; <b>dyspnée</b> javascript:alert(3)"""
TOKEN = "0123456789-abcdefghij"
WAIT = 60_000


@pytest.fixture(scope="module")
def browser():
    if os.environ.get("CARABIN_NO_BROWSER") == "1" and not os.environ.get("CI"):
        pytest.skip("CARABIN_NO_BROWSER=1: the page is not tested")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(f"none of {', '.join(BROWSERS)} is installed; install one, or set CARABIN_NO_BROWSER=1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        yield browser
        browser.close()


class Visit:
    """A page, and all that it asked for, said and broke."""

    def __init__(self, browser, port, **options):
        self.context = browser.new_context(locale="fr-FR", permissions=["clipboard-read", "clipboard-write"], **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        self.requests, self.faults = [], []
        self.context.on("request", lambda request: self.requests.append(request.url))
        # A refusal by the content security policy is told on the console.
        self.page.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.faults.append(dialog.message), dialog.dismiss()))
        self.page.goto(f"http://127.0.0.1:{port}/")

    def analyse(self, text):
        self.page.get_by_label("Texte à analyser").fill(text)
        self.page.get_by_role("button", name="Analyser").click()

    def marks(self):
        """Return (label, text) of each highlighted span."""
        read = "marks => marks.map(m => [m.querySelector('.tag').textContent, m.firstChild.textContent])"
        return [tuple(pair) for pair in self.page.locator("mark").evaluate_all(read)]

    def focused(self):
        return self.page.evaluate("document.activeElement.id || document.activeElement.textContent")


@pytest.fixture(scope="module")
def port(annotator):
    with running(annotator) as port:
        yield port


@pytest.fixture
def visit(browser, port):
    visit = Visit(browser, port)
    expect(visit.page.locator("#model")).to_be_visible()
    yield visit
    # Whatever a test did, no request left this machine, and nothing was kept in the browser.
    assert {urlsplit(url).hostname for url in visit.requests} == {"127.0.0.1"}
    kept = "[localStorage.length, sessionStorage.length, document.cookie, location.search + location.hash]"
    assert visit.page.evaluate(kept)[:3] == [0, 0, ""]
    assert visit.page.evaluate("indexedDB.databases()") == []
    assert visit.page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0
    assert visit.faults == []
    visit.context.close()


FOUND = [("DISO", "fièvre aiguë"), ("DISO", "dyspnée"), ("CHEM", "paracétamol")]


def test_a_pasted_text_comes_back_with_its_entities_where_they_stand(visit):
    visit.analyse(TEXT)
    expect(visit.page.locator("#status")).to_have_text("3 entités trouvées.")
    assert visit.marks() == FOUND
    plain = "(marked) => [...marked.childNodes].map(n => n.nodeType === 3 ? n.data : n.firstChild.data).join('')"
    assert visit.page.locator("#marked").evaluate(plain) == TEXT
    rows = visit.page.locator("tbody tr")
    assert [row.split("\t")[0] for row in rows.all_inner_texts()] == [text for _, text in FOUND]
    visit.page.get_by_label("Texte à analyser").press("End")
    visit.page.get_by_label("Texte à analyser").press_sequentially(" Fin")
    expect(visit.page.locator("#status")).to_have_text("Le texte a changé depuis cette analyse.")


def test_types_and_scores_filter_what_is_shown_and_what_is_copied(visit, annotator):
    visit.analyse(TEXT)
    visit.page.get_by_label(re.compile("^CHEM")).uncheck()
    assert visit.marks() == FOUND[:2]
    expect(visit.page.locator("#status")).to_have_text("2 entités affichées sur 3 trouvées.")
    visit.page.get_by_role("button", name="Copier le JSON").click()
    expect(visit.page.locator("#copied")).to_have_text("2 entités copiées.")
    copied = json.loads(visit.page.evaluate("navigator.clipboard.readText()"))
    assert copied["text"] == TEXT
    # In code points, as everywhere in Carabin, though the text begins with a character of two UTF-16 units.
    assert copied["entities"] == [e.to_dict(TEXT) for e in annotator(TEXT)][:2]
    visit.page.get_by_role("button", name="Tout décocher").click()
    assert visit.marks() == []
    visit.page.get_by_role("button", name="Tout cocher").click()
    scores = sorted(e.score for e in annotator(TEXT))
    visit.page.get_by_label("Score minimal").fill("1")
    assert len(visit.marks()) == sum(round(score, 4) >= 1 for score in scores)


def test_the_keyboard_alone_does_it_all(visit):
    page = visit.page
    press = page.keyboard.press
    press("Tab")
    assert visit.focused() == "Aller au résultat"
    press("Tab")
    assert visit.focused() == "text"
    page.keyboard.insert_text(TEXT)
    press("Control+Enter")
    expect(page.locator("#status")).to_have_text("3 entités trouvées.")
    order = []
    while "openapi.json" not in order:
        press("Tab")
        order.append(visit.focused())
        assert len(order) < 40
        # Where the focus is can be seen.
        style = "getComputedStyle(document.activeElement.closest('#labels label') ?? document.activeElement)"
        assert page.evaluate(f"{style}.outlineStyle") == "solid", order[-1]
    expected = ["analyse", "example", "clear", "threshold"]
    assert order[:4] == expected
    assert [name for name in order if name in ("check-all", "check-none", "marked", "copy")] == [
        "check-all", "check-none", "marked", "copy",
    ]  # fmt: skip
    assert [name for name in order if name in {text for _, text in FOUND}] == [text for _, text in FOUND]
    page.locator("#threshold").focus()
    press("End")
    expect(page.locator("#threshold-value")).to_have_text("1,00")
    press("Home")
    assert visit.marks() == FOUND
    press("Tab")
    press("Space")
    assert visit.marks() == FOUND[:2]  # the first type, CHEM, is out of sight
    press("Space")
    assert visit.marks() == FOUND
    page.locator("tbody button").nth(1).focus()
    press("Enter")
    assert visit.focused() == "dyspnéeDISO"
    page.locator("#copy").focus()
    press("Enter")
    expect(page.locator("#copied")).to_have_text("3 entités copiées.")
    page.locator("#clear").focus()
    press("Enter")
    assert visit.focused() == "text"
    assert page.locator("#text").input_value() == ""
    assert TEXT.split()[1] not in page.content()
    press("Control+Enter")
    expect(page.get_by_role("alert")).to_have_text("Collez ou saisissez d’abord un texte.")


def test_the_example_is_one_key_away_and_overwrites_nothing_unasked(visit):
    visit.page.locator("#example").focus()
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator("#status")).to_contain_text("entité")
    assert "dyspnée" in dict((text, label) for label, text in visit.marks())
    visit.page.get_by_label("Texte à analyser").fill("à moi")
    visit.page.locator("#example").click()  # the question is answered with no
    assert visit.page.get_by_label("Texte à analyser").input_value() == "à moi"
    assert visit.faults.pop() == "Remplacer le texte par l’exemple ?"


def test_a_hostile_text_is_shown_and_never_run(visit):
    visit.analyse(HOSTILE)
    expect(visit.page.locator("#status")).to_have_text("2 entités trouvées.")
    shown = visit.page.locator("#marked").evaluate("m => m.textContent.replaceAll('DISO', '')")
    assert shown == HOSTILE
    assert visit.page.locator("#marked").evaluate("m => [...m.querySelectorAll('*')].map(e => e.tagName)") == [
        "MARK", "SPAN", "MARK", "SPAN",
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_to_mend(browser, port, scheme, width):
    visit = Visit(browser, port, color_scheme=scheme, viewport={"width": width, "height": 800})
    expect(visit.page.locator("#model")).to_be_visible()
    axe = Axe()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

    def check():
        results = axe.run(visit.page, options=rules)
        assert results.violations_count == 0, results.generate_report()
        assert len(results.response["passes"]) > 15
        return {rule["id"] for rule in results.response["passes"]}

    check()
    visit.analyse("  ")
    check()
    visit.page.locator("#text").fill("")
    visit.page.locator("#example").click()
    expect(visit.page.locator("mark").first).to_be_visible()
    assert {"color-contrast", "label", "button-name", "html-has-lang"} <= check()
    # The page fits: nothing is reached by scrolling sideways.
    assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visit.context.close()


def test_every_hue_can_be_read_in_both_schemes(browser, port):
    for scheme in ("light", "dark"):
        visit = Visit(browser, port, color_scheme=scheme)
        visit.analyse(TEXT)
        expect(visit.page.locator("mark").first).to_be_visible()
        paint = "(mark, hue) => { mark.className = `tint hue-${hue}`; }"
        for hue in range(16):
            visit.page.locator("mark").first.evaluate(paint, hue)
            results = Axe().run(visit.page, context="#marked", options={"runOnly": ["color-contrast"]})
            assert results.violations_count == 0, f"hue {hue}, {scheme}: {results.generate_report()}"
        visit.context.close()


def test_a_token_is_asked_for_and_kept_by_nobody(browser, annotator):
    with running(annotator, token=TOKEN) as port:
        visit = Visit(browser, port)
        expect(visit.page.get_by_label("Jeton d’accès")).to_be_visible()
        visit.analyse(TEXT)
        expect(visit.page.get_by_role("alert")).to_contain_text("jeton")
        assert visit.focused() == "token"
        visit.page.keyboard.type("wrong-wrong-wrong")
        visit.page.keyboard.press("Enter")
        expect(visit.page.get_by_role("alert")).to_contain_text("ne reconnaît pas")
        visit.page.get_by_label("Jeton d’accès").fill(TOKEN)
        visit.page.keyboard.press("Enter")
        expect(visit.page.locator("#token-form")).to_be_hidden()
        visit.page.get_by_role("button", name="Analyser").click()
        expect(visit.page.locator("#status")).to_have_text("3 entités trouvées.")
        assert visit.page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
        assert TOKEN not in visit.page.content()
        assert not [url for url in visit.requests if TOKEN in url]
        visit.context.close()


def test_what_goes_wrong_is_said_kindly_and_the_text_stays(browser, annotator):
    gate = Gate(annotator.engine)
    slow = Annotator(annotator.reader, annotator.tags, gate)
    with running(slow, queue=1, max_characters=200) as port:
        visit = Visit(browser, port)
        expect(visit.page.locator("#model")).to_be_visible()
        alert = visit.page.get_by_role("alert")
        visit.analyse("fièvre " * 50)
        expect(alert).to_contain_text("trop long (au plus 200 caractères)")
        visit.page.get_by_label("Texte à analyser").evaluate("field => { field.value = 'fièvre \\ud800'; }")
        visit.page.get_by_role("button", name="Analyser").click()
        expect(alert).to_contain_text("caractère illisible")
        gate.open.clear()
        with ThreadPoolExecutor(2) as pool:
            others = [pool.submit(ask, port, {"text": "fièvre"}) for _ in range(2)]
            wait_for(lambda: metric(port, "carabin_requests_in_hand") == 2)
            visit.analyse(TEXT)
            expect(alert).to_contain_text("Réessayez dans 1 seconde")
            gate.open.set()
            assert [job.result()[0] for job in others] == [200, 200]
        visit.page.get_by_role("button", name="Analyser").click()
        expect(visit.page.locator("#status")).to_have_text("3 entités trouvées.")
        expect(alert).to_be_hidden()
    visit.page.get_by_role("button", name="Analyser").click()
    expect(alert).to_contain_text("Le service ne répond pas")
    assert visit.page.get_by_label("Texte à analyser").input_value() == TEXT
    visit.context.close()
