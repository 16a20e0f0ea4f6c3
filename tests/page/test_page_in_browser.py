"""The live page as a person uses it: in a real browser, on a local cloud that is up."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from local.cli.client import Client
from tests.page.browser import DESKTOP, PHONE, chromium, opened, photograph
from tests.pipeline.cloud_process import SNAPSHOT, Running, running

pytestmark = [pytest.mark.long, pytest.mark.alone]
PATIENCE = 120_000  # milliseconds: how long to wait for what must happen
SIZES = {"desktop": DESKTOP, "phone": PHONE}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        expect.set_options(timeout=PATIENCE)
        yield browser


@pytest.fixture(scope="module")
def cloud(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("cloud") / "folder", SNAPSHOT) as up:
        yield up


@pytest.fixture
def address(cloud: Running) -> str:
    return Client(cloud.folder).page()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address, DESKTOP) as page:
        expect(connection(page)).to_have_text("Live")
        yield page


def connection(page: Page) -> Locator:
    return page.locator("#connection")


def said(page: Page) -> Locator:
    return page.locator("#said")


def seen(page: Page) -> Locator:
    return page.locator("#seen")


def press(page: Page, name: str) -> None:
    """Press a button by the name that a screen reader reads."""
    page.get_by_role("button", name=name, exact=True).click()


def send(page: Page) -> str:
    """Send a message; return the beginning of its id, as the page shows it."""
    press(page, "Send a message")
    answer = re.compile(r"Message ([0-9a-f]{8}) is accepted and sealed\.")
    expect(said(page)).to_have_text(answer)
    found = answer.fullmatch(said(page).inner_text())
    assert found is not None
    return found[1]


def state_of(page: Page, message: str) -> Locator:
    return page.locator(f'#messages tr[data-id^="{message}"] .state')


def test_the_key_is_taken_out_of_the_address(page: Page, address: str) -> None:
    assert page.url == address.partition("#")[0]
    # A reload needs it again, and has it.
    page.reload()
    expect(connection(page)).to_have_text("Live")


def test_without_the_right_key_it_says_so_and_shows_nothing(browser: Browser, address: str) -> None:
    bare = address.partition("#")[0]
    with opened(browser, bare, DESKTOP) as page:
        expect(connection(page)).to_contain_text("needs its key")
    with opened(browser, bare + "#" + "k" * 43, DESKTOP) as page:
        expect(connection(page)).to_contain_text("started anew")
        expect(page.locator("#nodes .node")).to_have_count(0)


def test_a_button_does_nothing_before_the_page_knows_what_there_is(page: Page) -> None:
    page.route("**/events", lambda _: None)  # they do not come
    page.reload()
    press(page, "Rotate the key")
    expect(said(page)).to_have_text("Nothing has been asked for yet.")
    expect(connection(page)).to_have_text("Connecting …")
    page.unroute_all(behavior="ignoreErrors")


def test_a_message_is_sent_and_seen_to_arrive(page: Page) -> None:
    message = send(page)
    expect(state_of(page, message)).to_have_text("delivered")
    expect(seen(page)).to_have_text(f"Message {message} is at the partner, opened and signed.")
    decisions = page.locator("#decision-list li.allowed")
    expect(
        decisions.filter(has_text="receiver may decrypt with key payload").first
    ).to_contain_text("role 'Relay decrypt with a key")
    expect(page.locator(".node.outside", has_text="Partner")).to_contain_text(
        re.compile(r"[1-9]\d* received, works")
    )


def test_what_decrypt_may_is_taken_away_and_given_back(page: Page) -> None:
    press(page, "Take decrypt away")
    expect(said(page)).to_have_text(
        "decrypt may do nothing now. receiver restarted, to forget what it kept."
    )
    message = send(page)
    expect(seen(page)).to_contain_text("Refused: receiver may not decrypt with key payload")
    expect(page.locator("#decision-list li.refused").first).to_contain_text(
        re.compile(
            "receiver may not decrypt with key payload.*as decrypt: needs its grants", re.DOTALL
        )
    )
    expect(page.locator(".chip[data-suspended]")).to_have_text("decrypt")
    expect(state_of(page, message)).to_have_text("retrying")
    photograph(page, "refused")
    press(page, "Give decrypt back")
    expect(page.get_by_role("button", name="Take decrypt away")).to_be_visible()
    press(page, "Send what waits")
    expect(state_of(page, message)).to_have_text("delivered")
    expect(page.locator(".chip[data-suspended]")).to_have_count(0)


def test_a_rejected_message_is_shown_with_its_reason_and_replayed(page: Page) -> None:
    press(page, "Refuse the next")
    expect(said(page)).to_contain_text("refuses the next message")
    message = send(page)
    row = page.locator("#rejected li", has_text=message)
    expect(row).to_contain_text("partner-refused")
    expect(state_of(page, message)).to_have_text("rejected")
    row.get_by_role("button", name=f"Replay message {message}").click()
    expect(state_of(page, message)).to_have_text("delivered")
    expect(row).to_have_count(0)


def test_a_partner_that_fails_gets_it_when_it_works_again(page: Page) -> None:
    press(page, "Make the partner fail")
    expect(page.get_by_role("button", name="Let the partner work")).to_have_attribute(
        "aria-pressed", "true"
    )
    message = send(page)
    expect(state_of(page, message)).to_have_text("retrying")
    expect(page.locator(".node.queue", has_text="retries")).to_contain_text("1 waiting")
    press(page, "Let the partner work")
    expect(page.get_by_role("button", name="Make the partner fail")).to_be_visible()
    press(page, "Send what waits")
    expect(state_of(page, message)).to_have_text("delivered")


def test_the_key_is_rotated_and_messages_go_on(page: Page) -> None:
    press(page, "Rotate the key")
    expect(said(page)).to_contain_text(re.compile("Key payload has the new version [0-9a-f]{8}"))
    expect(state_of(page, send(page))).to_have_text("delivered")


def test_a_partner_that_is_a_queue_gets_it_and_refuses_none(page: Page, cloud: Running) -> None:
    client = Client(cloud.folder)
    secrets = client.control("GET", "/partner/secrets")
    assert isinstance(secrets, dict)
    path = f"/secrets/{cloud.vault('partner')}/partner-connection"
    client.control("PUT", path, secrets["servicebus"].encode())
    client.control("POST", "/apps/receiver/restart")
    try:
        message = send(page)
        expect(seen(page)).to_have_text(
            f"Message {message} is at the partner, opened, in its queue."
        )
        expect(state_of(page, message)).to_have_text("delivered")
        press(page, "Refuse the next")
        expect(said(page)).to_contain_text("only a webhook refuses one")
    finally:
        client.control("PUT", path, secrets["webhook"].encode())
        client.control("POST", "/apps/receiver/restart")


def test_a_flood_reaches_the_page_as_counts(page: Page) -> None:
    press(page, "Send 20")
    expect(said(page)).to_have_text("20 messages are accepted and sealed.")
    expect(page.locator("#states")).to_contain_text(re.compile(r"2\d delivered"))


def test_the_access_is_proved(page: Page) -> None:
    press(page, "Prove it")
    expect(page.locator("#proof")).to_have_text(
        re.compile(r"Proven: \d+ tries, \d+ allowed and \d+ refused, all as declared\.")
    )
    for row in page.locator("tr[data-identity]").all():
        expect(row.locator(".proof")).to_have_text(
            re.compile(r"[1-9]\d* allowed, [1-9]\d* refused")
        )


def test_it_works_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the buttons")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Send a message")
    page.keyboard.press("Enter")
    expect(said(page)).to_contain_text("is accepted")
    # A button keeps the focus while it works.
    expect(page.locator(":focus")).to_have_text("Send a message")


@pytest.mark.parametrize(("size", "scheme"), list(product(SIZES, ("light", "dark"))))
def test_it_is_readable_at_every_width_in_dark_and_light(
    browser: Browser, address: str, size: str, scheme: str
) -> None:
    with opened(browser, address, SIZES[size], color_scheme=scheme) as page:
        expect(page.locator("#messages tr").first).to_be_visible()
        message = send(page)
        expect(state_of(page, message)).to_have_text("delivered")
        expect(page.locator("[data-lit], .mark")).to_have_count(0)
        photograph(page, f"{size}-{scheme}")
        # Nothing has to be scrolled sideways, and what axe-core knows of accessibility holds.
        assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size][0]
        found = Axe().run(
            page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]}
        )
        assert found.violations_count == 0, found.generate_report()


def test_without_motion_nothing_moves_and_all_is_said(browser: Browser, address: str) -> None:
    with opened(browser, address, DESKTOP, reduced_motion="reduce") as page:
        expect(connection(page)).to_have_text("Live")
        page.evaluate(
            "new MutationObserver((all) => all.forEach((one) => one.addedNodes.forEach((node) => {"
            " if (node.tagName === 'circle') window.moved = true; })))"
            ".observe(document.getElementById('lines'), { childList: true })"
        )
        expect(state_of(page, send(page))).to_have_text("delivered")
        assert page.evaluate("window.moved") is None


def test_a_lost_connection_is_said_and_comes_back(page: Page, cloud: Running) -> None:
    process = int((cloud.folder / "lock").read_text())
    os.kill(process, signal.SIGSTOP)  # it is there, and says nothing
    try:
        expect(connection(page)).to_contain_text("Connection lost")
        expect(page.locator("body")).to_have_class("lost")
    finally:
        os.kill(process, signal.SIGCONT)
    expect(connection(page)).to_have_text("Live")
    expect(state_of(page, send(page))).to_have_text("delivered")


def test_the_end_of_the_cloud_is_said(page: Page, cloud: Running) -> None:
    """The last one here: afterwards there is no cloud."""
    os.kill(int((cloud.folder / "lock").read_text()), signal.SIGTERM)
    expect(connection(page)).to_contain_text("Connection lost. What you see is old.")
    press(page, "Send a message")
    expect(said(page)).not_to_contain_text("Sending")
