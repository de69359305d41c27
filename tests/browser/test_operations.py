"""Jobs, quarantine, keys, uploads and the keyboard in a real browser."""

import re
from pathlib import Path

import pytest
from browser.conftest import Watched, violations
from browser.filled_operations import QUARANTINED
from playwright.sync_api import Page, expect
from unit.api.service import study_zip

pytestmark = pytest.mark.browser


def test_a_dead_letter_is_found_and_tried_again(tabs: Watched, operations_address: str) -> None:
    page = tabs.open(f"{operations_address}overview")
    page.get_by_label("What waits").get_by_role("link", name=re.compile(r"^\d+$")).nth(2).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    row = page.get_by_role("row").filter(has_text="0xA700, out of resources")
    row.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("again?")
    expect(page.get_by_text("It was tried 9 times and was given up")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status")).to_contain_text("Queued again")
    page.get_by_role("link", name="Jobs").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    expect(page.get_by_text("0xA700")).to_have_count(0)
    page.goto(f"{operations_address}audit?action=job.retry")
    expect(page.locator(".list tbody tr").first).to_contain_text("0xA700")  # it is there, and not let be


@pytest.mark.parametrize("scripts", [True, False])
def test_released_from_quarantine(tabs: Watched, operations_address: str, scripts: bool) -> None:
    study = QUARANTINED[int(scripts)]
    page = tabs.open(f"{operations_address}quarantine", java_script_enabled=scripts)
    why = "I looked at it, and it is the right patient."
    if scripts:  # by keyboard alone
        place = [row.inner_text() for row in page.locator(".list tbody tr").all()]
        for _ in range(next(n for n, row in enumerate(place, 1) if study in row)):
            page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/quarantine/*")
        assert violations(page) == []
        page.set_viewport_size({"width": 320, "height": 600})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.get_by_role("link", name="Release").press("Enter")
        expect(page.get_by_label("Why")).to_be_focused()
        page.keyboard.type(why)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    else:
        page.get_by_role("link", name=f"Look at it: {study}", exact=True).click()
        page.get_by_role("link", name="Release").click()
        assert "Release this study" in page.get_by_role("heading", level=1).inner_text()
        page.get_by_label("Why").fill(why)
        page.get_by_role("button", name="Release").click()
    assert "Released." in page.get_by_role("status").inner_text()
    assert page.get_by_role("link", name=f"Look at it: {study}", exact=True).count() == 0
    page.goto(f"{operations_address}audit?action=quarantine.release")
    entry = page.locator(".list tbody tr").first
    expect(entry).to_contain_text(study)
    expect(entry).to_contain_text("it is the right patient")


def test_a_key_is_made_and_revoked(tabs: Watched, operations_address: str) -> None:
    page = tabs.open(f"{operations_address}keys")
    page.get_by_label("Name, to find it by").fill("night-shift")
    page.get_by_label("Role: what its holder may do").select_option("reader")
    page.get_by_role("button", name="Make the key").click()
    assert re.fullmatch(r"hk_[\w-]{43}", page.locator(".secret").inner_text())
    assert violations(page) == []
    page.get_by_role("link", name="Revoke night-shift").click()
    page.get_by_role("link", name="Leave it as it is").click()
    page.get_by_role("link", name="Revoke night-shift").click()
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("status")).to_contain_text("Revoked.")
    expect(page.get_by_role("row").filter(has_text="night-shift")).to_contain_text("revoked")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_zip_is_uploaded(tabs: Watched, operations_address: str, tmp_path: Path, scripts: bool) -> None:
    file = tmp_path / "Doe^Jane.zip"
    file.write_bytes(study_zip("ct-chest" if scripts else "mr-brain"))
    page = tabs.open(f"{operations_address}uploads", java_script_enabled=scripts)
    before = page.locator(".list tbody tr").count()
    if scripts:
        drop(page, file)
    else:
        page.get_by_label("File").set_input_files(file)
        page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/uploads?done=taken")
    assert page.locator(".list tbody tr").count() == before + 1
    assert "Doe" not in page.content()
    assert "local" in page.locator(".list tbody tr").first.inner_text()  # who sent it
    if scripts:
        said = page.evaluate("JSON.parse(sessionStorage.said)")
        assert said[0] == "It is being sent."
        assert "All is sent. It is looked into." in said
        page.locator(".list .row-link").first.click()  # the list of its studies: they come as they are judged
        expect(page.locator(".studies tbody .badge")).to_have_text("READY", timeout=60_000)


def drop(page: Page, file: Path) -> None:
    """Drops a file on the form as the browser does it for a hand, and notes what is said meanwhile."""
    page.evaluate(
        """() => {
          const told = document.getElementById("upload-told");
          const said = [];
          const note = () => { said.push(told.textContent); sessionStorage.said = JSON.stringify(said); };
          new MutationObserver(note).observe(told, {childList: true, characterData: true, subtree: true});
        }"""
    )
    box = page.locator("#upload").bounding_box()
    assert box is not None
    devtools = page.context.new_cdp_session(page)
    for type in ("dragEnter", "dragOver", "drop"):
        devtools.send(
            "Input.dispatchDragEvent",
            {
                "type": type,
                "x": box["x"] + 20,
                "y": box["y"] + 20,
                "data": {"items": [], "files": [str(file)], "dragOperationsMask": 1},
            },
        )


def test_what_is_no_zip_is_said_where_it_was_sent(
    tabs: Watched, operations_address: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(b"no zip")
    page = tabs.open(f"{operations_address}uploads")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#upload-told.alarming")).to_contain_text("ZIP", timeout=30_000)


def test_on_a_phone_the_place_where_one_is_is_in_sight(tabs: Watched, operations_address: str) -> None:
    page = tabs.open(f"{operations_address}keys", width=390)
    expect(page.locator("nav [aria-current]")).to_be_in_viewport(ratio=1)


def test_the_keyboard_leads_everywhere(tabs: Watched, operations_address: str) -> None:
    page = tabs.open(f"{operations_address}overview")
    for key, title in (("j", "Jobs"), ("q", "Quarantine"), ("h", "Health"), ("o", "Overview")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Quarantine")
    assert violations(page) == []
    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    for are_on in (False, True):
        page.get_by_role("button", name="Help: keyboard shortcuts").click()
        page.get_by_label("Letters and signs do this").set_checked(are_on)
        page.get_by_role("button", name="Close").click()
        expect(dialog).to_be_hidden()
        page.reload()
        page.keyboard.press("?")
        expect(dialog).to_be_visible(visible=are_on)
    page.keyboard.press("Escape")
    search = page.get_by_label("UID, accession number or patient")
    for path in ("overview", "rules", ""):
        page.goto(f"{operations_address}{path}")
        page.keyboard.press("/")
        expect(search).to_be_focused()
        page.keyboard.type("gj?")
        expect(search).to_have_value("gj?")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("f")
    expect(page.locator("#text")).to_be_focused()


def test_a_field_of_the_heat_map_leads_to_its_studies(tabs: Watched, address: str) -> None:
    page = tabs.open(f"{address}overview")
    page.get_by_role("link", name="Model", exact=True).click()
    field = page.locator(".heat td a").first
    number = field.locator("small").inner_text()
    field.click()
    expect(page.get_by_role("status")).to_have_text(re.compile(rf"^{number} stud(y|ies)\b"))


def test_pages_are_loaded_anew_but_what_was_opened_stays_open(tabs: Watched, address: str) -> None:
    page = tabs.open(address)
    page.clock.install()
    page.goto(f"{address}overview")
    page.get_by_text("These figures as a table").first.click()
    page.evaluate("document.querySelector('#live h2').textContent = 'Old'")
    page.clock.fast_forward(31_000)
    expect(page.locator("#live h2").first).not_to_have_text("Old")
    expect(page.locator("#live details[open]")).to_have_count(1)
    page.keyboard.press("?")
    page.get_by_label("Pages follow what changes").uncheck()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.fast_forward(31_000)
    expect(page.get_by_text("Pages do not follow")).to_be_visible()  # requests were told before
    assert asked == []


def test_a_profile_is_tried_before_it_is_used(tabs: Watched, address: str) -> None:
    page = tabs.open(f"{address}profiles")
    page.get_by_label("A shipped one").select_option("strict")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What strict would make of all studies")
    expect(page.get_by_text("and nothing was written")).to_be_visible(timeout=120_000)
    changed = page.get_by_label("Verdicts that would change").locator("tbody tr").first
    now, under_it = changed.locator(".badge").all_inner_texts()
    assert now != under_it
    moved = page.get_by_label("The studies").locator("tbody tr").filter(has_text=under_it).first
    moved.get_by_role("link").first.click()
    expect(page.locator(".study-title .badge, .study-head .badge").first).to_contain_text(now)  # not written
    page.go_back()
    assert violations(page) == []


def test_a_study_that_never_came_is_asked_for_again(tabs: Watched, operations_address: str) -> None:
    page = tabs.open(f"{operations_address}?text=2.25.4711")
    page.get_by_role("button", name="Search for it").click()
    expect(page.get_by_text("Heltig has not seen this study")).to_be_visible()
    expect(page.get_by_role("link", name="Pull a study and judge it")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Teaching files").click()
    page.get_by_label("One study, by its StudyInstanceUID").fill("2.25.4711")
    page.get_by_role("button", name="Pull the study").click()
    page.get_by_role("button", name="Pull the study").click()
    expect(page.get_by_role("status")).to_contain_text("The study is asked for")
    page.goto(f"{operations_address}jobs?show=waiting&group=archive%3Ateaching")
    page.locator(".list .row-link").first.click()
    expect(page.get_by_role("main")).to_contain_text("2.25.4711")
