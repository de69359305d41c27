"""The list of studies in a real browser."""

import re

import pytest
from browser.conftest import Watched, violations
from browser.filled_store import STUDIES, uid_of
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def verdicts(page: Page) -> list[str]:
    return page.locator(".studies tbody .badge").all_inner_texts()


EVERYTHING = f"{len(STUDIES) + 1} studies, worst first"  # one is at two locations


def test_worst_first(tabs: Watched, address: str) -> None:
    page = tabs.open(address)
    # The service judges one again as it starts, since it is elsewhere, too; the list then comes anew.
    pending = page.locator(".studies tbody .badge", has_text="PENDING")
    expect(pending).to_have_count(1, timeout=60_000)
    expect(page.get_by_role("row").nth(1)).to_contain_text("The archive counts another number")
    order = [{"BLOCKED": 0, "NEEDS_REVIEW": 1, "PENDING": 2, "READY": 2}[v] for v in verdicts(page)]
    assert order == sorted(order)
    expect(page.get_by_role("status")).to_have_text(EVERYTHING)
    expect(page.locator(".studies tbody tr")).to_have_count(len(STUDIES) + 1)


def test_typing_narrows_the_list_without_loading_the_page(tabs: Watched, address: str) -> None:
    page = tabs.open(address)
    page.evaluate("window.notLoadedAgain = true")
    page.get_by_label("StudyInstanceUID or StudyDescription").press_sequentially("coronary", delay=30)
    expect(page.get_by_role("status")).to_have_text("2 studies, worst first")
    expect(page.locator(".studies tbody tr")).to_have_count(2)
    expect(page).to_have_url(f"{address}?text=coronary")
    expect(page.locator("#text")).to_be_focused()
    expect(page.locator("#text")).to_have_value("coronary")
    assert page.evaluate("window.notLoadedAgain")
    page.locator("#text").fill("")
    expect(page.get_by_role("status")).to_have_text(EVERYTHING)
    expect(page).to_have_url(address)


def test_choices_narrow_the_list(tabs: Watched, address: str) -> None:
    page = tabs.open(address)
    page.get_by_label("Modality").select_option("MG")
    expect(page.get_by_role("status")).to_have_text("2 studies, worst first")
    page.get_by_label("Modality").select_option("All")
    page.get_by_label("Location").select_option("teaching")
    expect(page.get_by_role("status")).to_have_text("1 study")
    page.get_by_label("Location").select_option("All")
    page.get_by_label("Rule").fill("uid-")
    expect(page.get_by_role("status")).to_have_text(re.compile("^[2-5] studies"))
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("status")).to_have_text(EVERYTHING)


def test_a_filter_outlives_reload_and_the_way_back(tabs: Watched, address: str) -> None:
    page = tabs.open(address)
    page.locator("#text").fill("coronary")
    expect(page.get_by_role("status")).to_have_text("2 studies, worst first")
    page.reload()
    expect(page.locator("#text")).to_have_value("coronary")
    page.get_by_role("link", name="Coronary angio").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Coronary angio")
    page.go_back()
    expect(page.get_by_role("status")).to_have_text("2 studies, worst first")


def test_the_numbers_are_filters(tabs: Watched, address: str) -> None:
    page = tabs.open(address)
    number = int(page.locator(".verdict-number").first.inner_text())
    page.get_by_role("link", name="BLOCKED").first.click()
    expect(page.get_by_role("status")).to_have_text(f"{number} studies, worst first")
    assert set(verdicts(page)) == {"BLOCKED"}
    page.locator("#text").fill("CT")
    expect(page).to_have_url(f"{address}?text=CT&readiness=BLOCKED")
    page.get_by_role("link", name="only these").click()
    expect(page.locator(".verdict[aria-current]")).to_have_count(0)
    expect(page).to_have_url(f"{address}?text=CT")


def test_a_row_leads_to_the_reason(tabs: Watched, address: str) -> None:
    page = tabs.open(f"{address}?text={uid_of('two-patient-ids')}")
    page.locator(".studies tbody .at-why").click(force=True)  # the link covers the whole row
    expect(page.get_by_role("heading", level=1)).to_have_text("CT Thorax")
    finding = page.get_by_role("article").first
    expect(finding).to_contain_text("PAT-ID-CONFLICT")
    expect(finding).to_contain_text("(0010,0020) PatientID")
    expect(finding).to_contain_text("What to do:")
    finding.locator("summary", has_text="instances").click()
    expect(finding.locator("li").first).to_be_visible()


def test_compared_with_another_archive_and_reported(tabs: Watched, address: str) -> None:
    page = tabs.open(f"{address}studies/{uid_of('count-mismatch')}?location=archive:teaching")
    page.get_by_role("link", name="Differences").click()
    page.get_by_label("What it is compared with").get_by_role("link", name="archive:main").click()
    expect(page.get_by_role("main")).to_contain_text("SeriesDescription")
    page.get_by_role("link", name="Verdict").click()
    page.get_by_role("link", name="Report to print").click()
    expect(page).to_have_url(re.compile(r"/api/v1/studies/[\d.]+/report\?"))
    expect(page).to_have_title(f"Heltig: Study {uid_of('count-mismatch')}")
    expect(page.locator("body")).to_contain_text("SRC-SERIES-COUNT")
    expect(page.locator("body")).to_contain_text("DICOM standard")  # what it was judged by: no page has that
    expect(page.get_by_role("navigation")).to_have_count(0)


def test_a_uid_in_the_list_can_be_selected(tabs: Watched, address: str) -> None:
    page = tabs.open(f"{address}?text={uid_of('two-patient-ids')}")
    page.locator(".studies tbody .uid").dblclick()
    selected = page.evaluate("getSelection().toString()").strip()
    assert len(selected) > 10
    assert selected in uid_of("two-patient-ids")
    expect(page.get_by_role("status")).to_have_text("1 study")


def test_by_keyboard_alone(tabs: Watched, address: str) -> None:
    page = tabs.open(address)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("f")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("/coronary")
    expect(page.locator("#text")).to_have_value("/coronary")
    page.keyboard.press("Home")
    page.keyboard.press("Delete")
    expect(page.get_by_role("status")).to_have_text("2 studies, worst first")
    link = page.locator(".row-link").first
    for _ in range(40):
        page.keyboard.press("Tab")
        if link.evaluate("link => link === document.activeElement"):
            break
    expect(link).to_be_focused()
    outline = link.evaluate("e => getComputedStyle(e, '::after').outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Coronary angio")


def test_without_javascript(tabs: Watched, address: str) -> None:
    page = tabs.open(address, java_script_enabled=False)
    page.locator("#text").fill("coronary")
    page.get_by_role("button", name="Filter").click()
    assert page.locator(".studies tbody tr").count() == 2
    page.locator(".row-link").first.click()
    assert page.locator("h1").inner_text() == "Coronary angio"
    assert "UID-CHARS" in page.locator(".finding").first.inner_text()


def test_with_javascript_there_is_no_button_to_press(tabs: Watched, address: str) -> None:
    expect(tabs.open(address).get_by_role("button", name="Filter")).to_be_hidden()


def test_a_list_that_cannot_be_refreshed_says_so(tabs: Watched, address: str) -> None:
    page = tabs.open(address)
    expect(page.get_by_role("alert")).to_be_hidden()
    page.route("**/?text=*", lambda route: route.fulfill(status=503, body="no"))
    page.locator("#text").fill("coronary")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator(".studies tbody tr")).to_have_count(len(STUDIES) + 1)
    page.unroute_all()
    page.locator("#text").fill("coronar")
    expect(page.get_by_role("status")).to_have_text("2 studies, worst first")
    expect(page.get_by_role("alert")).to_be_hidden()
    tabs.complaints = [text for text in tabs.complaints if "503" not in text]


@pytest.mark.parametrize("key", [".", "..", "="])
def test_a_study_whose_uid_is_made_of_dots_can_be_opened(
    tabs: Watched, dotted_address: str, key: str
) -> None:
    page = tabs.open(dotted_address)
    row = page.locator(".studies tbody tr").filter(has=page.get_by_text(key, exact=True))
    row.get_by_role("link").click()
    expect(page.locator(".crumbs .mono")).to_have_text(key)
    page.get_by_role("link", name="Studies").first.click()
    expect(page).to_have_url(dotted_address)


def test_ticked_by_keyboard_and_waived(tabs: Watched, address: str) -> None:
    uid = uid_of("two-patient-ids")
    page = tabs.open(f"{address}?text={uid}", width=390, color_scheme="dark")
    acts = page.locator(".acts")
    expect(acts).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator(".row-link").first).to_be_focused()
    page.keyboard.press("x")
    expect(acts).to_contain_text("1 ticked")
    page.locator(".at-tick input").focus()  # as where it was ticked by hand
    page.keyboard.press("b")
    expect(acts.get_by_role("button").first).to_be_focused()
    page.evaluate("document.getElementById('results').dispatchEvent(new CustomEvent('heltig:news'))")
    page.wait_for_load_state("networkidle")
    expect(page.locator(".at-tick :checked")).to_have_count(1)
    assert violations(page) == []
    page.get_by_role("button", name="Waive").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Waive findings of 1 study?")
    assert violations(page) == []
    rules = page.get_by_label("Rule")
    rules.select_option(index=rules.locator("option").count() - 1)
    page.get_by_label("Until").fill("2026-12-31")
    page.get_by_label("Why").fill("The department looked at it")
    page.get_by_role("button", name="Give the waivers").click()
    expect(page.locator(".told")).to_contain_text("Waivers were given for 1 study.")
    expect(page.locator(".studies tbody .badge")).to_have_text("READY", timeout=60_000)
    page.locator(".row-link").click()
    expect(page.get_by_role("article").filter(has_text="PAT-ID-CONFLICT")).to_contain_text("waived")
    expect(page.get_by_role("main")).to_contain_text("Without waivers it would be BLOCKED")
    page.goto(f"{address}audit?study={uid}&action=waiver.give")
    entry = page.locator(".list tbody tr").first
    expect(entry).to_contain_text("PAT-ID-CONFLICT")
    expect(entry.get_by_text(uid).first).to_be_visible()


def test_back_goes_one_filter_back(tabs: Watched, address: str) -> None:
    page = tabs.open(address)
    modality, text = page.get_by_label("Modality"), page.locator("#text")
    modality.select_option("MR")
    expect(page).to_have_url(f"{address}?modality=MR")
    modality.select_option("CT")
    expect(page).to_have_url(f"{address}?modality=CT")
    text.press_sequentially("cor")
    expect(page).to_have_url(f"{address}?text=cor&modality=CT")
    for query, chosen in (("?modality=CT", "CT"), ("?modality=MR", "MR"), ("", "")):
        page.go_back()
        expect(page).to_have_url(f"{address}{query}")
        expect(modality).to_have_value(chosen)
        expect(text).to_have_value("")
