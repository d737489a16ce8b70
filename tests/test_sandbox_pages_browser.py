"""The pages of the sandbox in Chromium: light and dark, a phone's width, the keyboard, and pages of other sites."""

from collections.abc import Iterator

import pytest

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.chromium import Chromium
from tests.helpers import ask
from tests.sandbox_pages import receiver, something_everywhere
from tests.tiers import deep_after, deep_except

LONG = "long-" * 40 + "<b>"
PAGES = ("", "users", "user?id={user}", "attempts", "rules?user={user}&action=signIn", "webhooks", "delivery?number=1")
SHAPES = ((360, "dark"), (1280, "light"), (360, "light"), (1280, "dark"))
EMPTY = ("", "users", "attempts", "rules", "webhooks", "controls")


@pytest.fixture(scope="module")
def filled() -> Iterator[RunningSandbox]:
    """A tenant with long values, so that nothing fits on a line."""
    with receiver() as hook, run_in_thread(SandboxConfig(seed=7, users=60)) as running:
        something_everywhere(running, hook.url, user="ann")
        something_everywhere(running, hook.url, user=LONG, name=LONG)
        yield running


def at(running: RunningSandbox, page: str = "") -> str:
    """The address of a page at localhost, to which the passkeys of a sandbox belong."""
    base = running.control_url.replace("127.0.0.1", "localhost")
    return base + (f"pages/{page}" if page else "")


def assert_good(browser: Chromium, width: int) -> None:
    assert browser.do("axe", minor=True) == []
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    browser.assert_quiet()


@pytest.mark.parametrize(
    ("page", "width", "scheme"),
    [
        *deep_except(
            [("", *SHAPES[0]), ("users", *SHAPES[1]), ("user?id={user}", *SHAPES[0])],
            [(page, *shape) for page in (*PAGES, "controls") for shape in SHAPES[:2]],
        ),
        # each width and each colour was looked at above
        *(pytest.param(page, *shape, marks=pytest.mark.slow) for page in (*PAGES, "controls") for shape in SHAPES[2:]),
    ],
)
def test_pages_are_accessible_fit_the_screen_and_ask_no_other_server(
    browser: Chromium, filled: RunningSandbox, page: str, width: int, scheme: str
) -> None:
    for user in ("ann", "long-" * 40 + "%3Cb%3E"):
        browser.open(at(filled, page.format(user=user)), width=width, height=800, colorScheme=scheme)
        browser.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert_good(browser, width)
        if "{user}" not in page:
            return


@pytest.mark.parametrize("page", deep_after(1, EMPTY))
def test_pages_of_an_empty_tenant_are_accessible_too(browser: Chromium, empty: RunningSandbox, page: str) -> None:
    browser.open(at(empty, page), width=360, height=800)
    assert_good(browser, 360)


def test_buttons_work_in_a_browser_and_say_once_what_they_did(browser: Chromium, empty: RunningSandbox) -> None:
    browser.open(at(empty, "controls"))
    browser.do("click", button="Add fault")
    browser.do("waitFor", text="Added the fault.")
    assert len(empty.faults.waiting) == 1
    assert "said" not in browser.do("address")
    browser.do("click", button="+ 1 day")
    browser.do("waitFor", text="Moved the clock forward.")
    browser.do("click", button="Add users")
    browser.do("waitFor", text="100 users now.")
    browser.do("clickOn", selector="#reset summary")
    browser.do("click", button="Delete everything")
    browser.do("waitFor", text="0 users now.")
    assert empty.sandbox.store.counts()["users"] == 0
    browser.assert_quiet()


def test_pages_and_buttons_work_without_scripts(browser: Chromium, filled: RunningSandbox) -> None:
    browser.open(at(filled, "users"), javaScriptEnabled=False)
    browser.do("fill", label="Search", text="ann@example")
    browser.do("click", button="Search")
    browser.do("waitFor", text="No user matches")
    browser.do("fill", label="Search", text="ann")
    browser.do("click", button="Search")
    browser.do("follow", link="ann")
    browser.do("waitFor", text="Attributes")
    browser.do("follow", link="Controls")
    browser.do("click", button="Stop it")
    browser.do("waitFor", text="Stopped the clock.")
    assert filled.sandbox.clock.is_frozen
    browser.do("click", button="Let it run")
    browser.do("waitFor", text="The clock runs again.")
    assert not filled.sandbox.clock.is_frozen


def test_a_user_is_found_and_an_attempt_opened_by_the_keyboard(browser: Chromium, filled: RunningSandbox) -> None:
    browser.open(at(filled, "users"))
    browser.do("press", key="Tab")
    assert browser.do("focused") == "Skip to the content"
    browser.do("press", key="Enter")
    browser.do("press", key="Tab")
    browser.evaluate("void (document.activeElement.value = 'ann')")
    browser.do("press", key="Enter")
    browser.do("waitFor", text="1 user contain")
    browser.do("follow", link="ann")
    browser.do("waitFor", text="Open one to see its steps")
    browser.evaluate("document.querySelector('.entry summary').focus()")
    browser.do("press", key="Enter")
    browser.do("waitFor", text="Challenge succeeded")


@pytest.mark.deep
def test_new_attempts_appear_and_open_ones_stay_open(browser: Chromium, empty: RunningSandbox) -> None:
    ask(empty, "POST", "/users/ann/actions/signIn", {"idempotencyKey": "first"})
    browser.open(at(empty, "attempts"))
    browser.do("clickOn", selector=".entry summary")
    browser.do("waitFor", text="first")
    ask(empty, "POST", "/users/bob/actions/payment", {"idempotencyKey": "second"})
    browser.do("waitFor", text="payment")
    assert browser.evaluate("[...document.querySelectorAll('details')].map((one) => one.open)") == [False, True]
    assert browser.evaluate("document.activeElement.parentElement.open")
    browser.assert_quiet()


@pytest.mark.deep
def test_a_try_out_shows_what_would_happen(browser: Chromium, filled: RunningSandbox) -> None:
    browser.open(at(filled, "rules"))
    browser.do("fill", label="User id", text="ann")
    browser.do("fill", label="IP address", text="192.0.2.77")
    browser.do("click", button="Try out")
    browser.do("waitFor", text="Block anonymous networks” decides: BLOCK")
    browser.assert_quiet()


@pytest.mark.deep
def test_a_fixture_is_uploaded_from_a_file(browser: Chromium, empty: RunningSandbox) -> None:
    choose = """(() => {
      const files = new DataTransfer();
      files.items.add(new File([TEXT], "tenant.yaml"));
      document.querySelector("#upload [type=file]").files = files.files;
    })()"""
    browser.open(at(empty, "controls"))
    browser.evaluate(choose.replace("TEXT", "'users: {ann: {emial: x}}'"))
    browser.do("clickOn", selector="#upload button")
    browser.do("waitFor", text="Did you mean")
    assert browser.do("text", selector="#upload [role=alert]").startswith("The body is not a valid fixture.")
    browser.evaluate(choose.replace("TEXT", "'users: {ann: {email: ann@example.com}}'"))
    browser.do("clickOn", selector="#upload button")
    browser.do("waitFor", text="Replaced the tenant by the fixture.")
    assert [user.user_id for user in empty.sandbox.store.users()] == ["ann"]


def test_a_tenant_is_chosen_and_tries_a_passkey_of_its_own(browser: Chromium) -> None:
    with run_in_thread(SandboxConfig(seed=1, tenants={"acme": {"region": "eu"}, "globex": {}})) as running:
        browser.open(at(running), width=360)
        browser.do("authenticator", transport="internal")
        browser.do("clickOn", selector="#tenants summary")
        assert_good(browser, 360)
        browser.do("follow", link="acme")
        browser.do("click", button="Create passkey")
        browser.do("waitFor", text="Passkey created for ada")
        browser.do("click", button="Sign in with passkey")
        browser.do("waitFor", text="Signed in as ada")
        assert running.sandbox.store.counts()["users"] == 0
        assert running.tenant("acme").sandbox.store.counts()["users"] == 1
        browser.do("follow", link="Users")
        browser.do("waitFor", text="1 user")
        browser.assert_quiet()


def test_a_page_of_another_site_cannot_press_a_button(browser: Chromium, seeded: RunningSandbox) -> None:
    send = """(() => {
      const form = document.createElement("form");
      Object.assign(form, { method: "post", action: "ADDRESS" });
      document.body.append(form);
      form.submit();
    })()"""
    for where in (at(seeded, "do/reset"), f"{seeded.control_url}pages/do/reset"):
        browser.do("open")
        browser.evaluate(send.replace("ADDRESS", where))
        browser.do("waitFor", text="Pages of other sites cannot control the sandbox")
    browser.do("open")
    failed = "fetch('ADDRESS', { method: 'POST', mode: 'no-cors' }).then(() => 'sent', () => 'failed')"
    browser.evaluate(failed.replace("ADDRESS", f"{seeded.control_url}reset"))
    read = "fetch('ADDRESS').then((answer) => answer.text(), () => 'unreadable')"
    assert browser.evaluate(read.replace("ADDRESS", at(seeded, "users"))) == "unreadable"
    assert seeded.sandbox.store.counts()["users"] == 40


def test_no_other_page_can_frame_the_pages(browser: Chromium, empty: RunningSandbox) -> None:
    frame = """new Promise((resolve) => {
      const frame = Object.assign(document.createElement("iframe"), { src: "ADDRESS" });
      frame.addEventListener("load", () => resolve(frame.contentDocument ? "own" : "another"));
      document.body.append(frame);
    })"""
    browser.do("open")
    browser.evaluate(frame.replace("ADDRESS", at(empty, "controls")))
    assert any("frame-ancestors" in complaint for complaint in browser.do("complaints"))
