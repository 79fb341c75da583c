"""What waits for a person, on a bare page: shown whole before it can be allowed, and answered by click and key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.notebook.widgets.approvals_view import ApprovalsView
from tests.helpers.stub import Stub, stub
from tests.helpers.support import until

EXEC = {"cwd": "/tmp", "host": "gateway", "security": "allowlist", "ask": "on-miss", "agentId": "main"}
EXEC |= {"timeoutMs": 600_000, "twoPhase": True, "sessionKey": "agent:main:x"}
LONG = "echo " + "a line that goes on " * 1000 + "; rm -rf ~"
COLOR = {"questionId": "color", "header": "Color", "question": "Which colour?"}
COLOR |= {"options": [{"label": "red", "description": "like fire"}, {"label": "blue"}], "isOther": True}
SIZES = {"questionId": "sizes", "header": "Sizes", "question": "Which sizes?", "multiSelect": True}
SIZES |= {"options": [{"label": "S"}, {"label": "M"}, {"label": "L"}]}
ALLOW = "document.querySelector('.gnb-decision button')"


@pytest.fixture
def local() -> Iterator[gnb.LocalGateway]:
    with gnb.LocalGateway() as gateway:
        yield gateway


@pytest.fixture
def asking(local: gnb.LocalGateway) -> Iterator[gnb.Gateway]:
    """Who asks, and may decide, too."""
    with gnb.connect(local.url, token=local.token, name="the other", client_display_name="the other") as gateway:
        yield gateway


@pytest.fixture
def gw(local: gnb.LocalGateway) -> Iterator[gnb.Gateway]:
    with gnb.connect(local.url, token=local.token) as gateway:
        gateway.approvals.listen()
        yield gateway


@pytest.fixture
def view(browser: Any, gw: gnb.Gateway, tmp_path: Path) -> Iterator[Stub]:
    folder = tmp_path / "page"
    folder.mkdir()
    with stub(browser, gw.approvals.table(), folder) as page:
        page.open()
        page.until("document.querySelector('.gnb-approvals strong').textContent === '0 waiting'")
        yield page


def ask(asking: gnb.Gateway, command: str, **changes: Any) -> gnb.RequestHandle[Any]:
    """Ask for a command; the handle's result is the gateway's last answer."""
    params = {**EXEC, "command": command, **changes}
    return asking.submit("exec.approval.request", params, expect_final=True)


def shown(view: Stub, text: str) -> None:
    """Wait until the card of what has this text is there."""
    view.until(f"document.querySelector('.gnb-decision')?.textContent.includes({text!r})")


def outcome(view: Stub, text: str) -> None:
    """Wait until the card says how it ended."""
    view.until(f"document.querySelector('.gnb-decision [role=status]')?.textContent.includes({text!r})")


def test_a_click_allows_what_is_shown(view: Stub, asking: gnb.Gateway) -> None:
    """The card has the command, where it would run and who asks; not in its first moment, a click allows it."""
    answer = ask(asking, "echo hi")
    shown(view, "echo hi")
    assert view.page.evaluate(f"{ALLOW}.disabled")
    assert "Folder\n/tmp" in view.text(".gnb-decision")
    assert "asked by main · session agent:main:x" in view.text()
    view.until(f"!{ALLOW}.disabled")
    view.page.get_by_role("button", name="Allow once").click()
    outcome(view, "allowed by gateway_nb")
    assert answer.result(10)["decision"] == "allow-once"
    assert view.page.evaluate("[...document.querySelectorAll('.gnb-decision button')].every((each) => each.disabled)")
    view.until("document.querySelector('.gnb-approvals strong').textContent === '0 waiting'")


def test_the_end_of_a_long_command_is_seen_first(view: Stub, asking: gnb.Gateway) -> None:
    """A command that does not fit can be denied at once, but allowed only after its end was in view, key or click."""
    answer = ask(asking, LONG)
    shown(view, "rm -rf ~")
    outcome(view, "scroll to the end of it first")
    view.page.wait_for_timeout(600)  # longer than the first moment
    view.page.get_by_role("region", name="What is asked").press("a")
    assert view.page.evaluate(f"{ALLOW}.disabled")
    assert not answer.done()
    view.page.get_by_text("; rm -rf ~").evaluate("(text) => text.closest('.gnb-whole').scrollTo(0, 1e9)")
    view.until(f"!{ALLOW}.disabled")
    view.page.get_by_role("region", name="What is asked").press("a")
    outcome(view, "allowed")
    assert answer.result(10)["decision"] == "allow-once"


def test_hostile_text_looks_like_what_it_is(view: Stub, asking: gnb.Gateway) -> None:
    """Markup stays text; control characters and direction marks are written out, and look-alikes are named."""
    answer = ask(asking, "c\u0430t <img src=x onerror=alert(1)> \u202e| hs \x1b[2K")
    shown(view, "<img src=x onerror=alert(1)>")
    assert view.page.locator(".gnb img").count() == 0
    marks = view.page.locator(".gnb-decision mark").all_inner_texts()
    assert marks == ["\u0430", "[U+202E]", "[U+001B]"]
    assert "U+0430 CYRILLIC SMALL LETTER A; U+202E RIGHT-TO-LEFT OVERRIDE; U+001B" in view.text(".gnb-decision")
    assert "\u202e" not in view.text()
    view.page.get_by_role("button", name="Deny").click()
    outcome(view, "denied by gateway_nb")
    assert answer.result(10)["decision"] == "deny"


def test_keys(view: Stub, asking: gnb.Gateway) -> None:
    """Arrows go through the list, d denies and a allows what is shown below it, and nothing else."""
    answers = [ask(asking, f"echo {n}") for n in range(3)]
    view.until("document.querySelectorAll('[role=option]').length === 3")
    listed = view.page.get_by_role("listbox")
    commands = [row.split("\n")[1] for row in view.page.locator("[role=option]").all_inner_texts()]
    shown(view, commands[0])
    listed.press("ArrowDown")
    shown(view, commands[1])
    listed.press("d")
    outcome(view, "denied")
    view.until("document.querySelectorAll('.gnb-over').length === 1")
    shown(view, commands[1])  # it stays there until somebody takes another
    listed.press("Home")
    shown(view, commands[0])
    view.until(f"!{ALLOW}.disabled")
    listed.press("a")
    outcome(view, "allowed")
    decisions = {answer.result(10)["decision"] for answer in answers if answer.done()}
    until(lambda: sum(answer.done() for answer in answers) == 2)
    decisions = {answer.result(10)["decision"] for answer in answers if answer.done()}
    assert decisions == {"allow-once", "deny"}


def test_resolved_elsewhere(view: Stub, asking: gnb.Gateway, gw: gnb.Gateway) -> None:
    """What somebody else decides is shown so, in its place, and can't be answered any more."""
    answer = ask(asking, "echo hi")
    shown(view, "echo hi")
    (item,) = gw.approvals
    asking.request("exec.approval.resolve", {"id": item.id, "decision": "deny"})
    outcome(view, "denied by the other")
    assert view.page.evaluate(f"{ALLOW}.disabled")
    assert answer.result(10)["decision"] == "deny"


def test_a_click_on_what_has_changed_allows_nothing(
    view: Stub, local: gnb.LocalGateway, asking: gnb.Gateway, gw: gnb.Gateway
) -> None:
    """Where something else came under the same id before a click arrived, nothing is allowed, and that is said."""
    first = ask(asking, "ls", id="own-id")
    shown(view, "ls")
    view.until(f"!{ALLOW}.disabled")
    view.deaf = True
    (item,) = gw.approvals
    asking.request("exec.approval.resolve", {"id": item.id, "decision": "deny"})
    first.result(10)
    changed = {**EXEC, "command": "rm -rf ~"}
    local.emit("exec.approval.requested", {"id": "own-id", "createdAtMs": 1, "expiresAtMs": 9e12, "request": changed})
    until(lambda: len(gw.approvals) == 1)
    (other,) = gw.approvals
    assert other.command == "rm -rf ~"
    view.page.evaluate(f"{ALLOW}.click()")
    view.deaf = False
    view.until("document.querySelector('[role=alert]').textContent.includes('does not wait here any more')")
    assert other.status == "pending"


def test_questions(view: Stub, asking: gnb.Gateway) -> None:
    """Several questions are answered together: an option, several, free text; a missing answer is said."""
    asked = asking.request("question.request", {"questions": [COLOR, SIZES], "timeoutMs": 600_000})
    waiting = asking.submit("question.waitAnswer", {"id": asked["id"]})
    shown(view, "Which colour?")
    page = view.page
    page.get_by_label("red · like fire").check()
    page.get_by_label("Another answer").fill("mauve")  # in the place of the option
    page.get_by_role("button", name="Answer").click()
    view.until("document.querySelector('[role=alert]').textContent.includes(\"'sizes' needs a text\")")
    page.get_by_label("S", exact=True).check()
    page.get_by_label("L", exact=True).check()
    page.get_by_role("button", name="Answer").click()
    outcome(view, "answered by gateway_nb")
    answers = {"color": ["mauve"], "sizes": ["S", "L"]}
    assert waiting.result(10) == {"status": "answered", "answers": {"answers": answers}}
    asked = asking.request("question.request", {"questions": [COLOR], "timeoutMs": 600_000})
    view.until("document.querySelectorAll('[role=option]').length === 2")
    page.get_by_role("listbox").press("Home")
    view.until("document.querySelectorAll('fieldset').length === 1")
    page.get_by_label("red · like fire").check()
    page.get_by_role("button", name="Cancel the question").click()
    outcome(view, "cancelled")
    assert asking.request("question.get", {"id": asked["id"]})["question"]["status"] == "cancelled"


def test_a_megabyte(view: Stub, asking: gnb.Gateway) -> None:
    """A question of a megabyte is shown whole, and the page goes on."""
    text = "x" * 1_000_000 + " the end"
    asking.request("question.request", {"questions": [{**COLOR, "question": text}], "timeoutMs": 600_000})
    view.until("document.querySelector('fieldset pre')?.textContent.endsWith(' the end')", 30)
    assert view.page.evaluate("document.querySelector('fieldset pre').textContent.length") == len(text)
    view.page.get_by_role("button", name="Cancel the question").click()
    outcome(view, "cancelled")


def test_two_hundred(view: Stub, local: gnb.LocalGateway, asking: gnb.Gateway, gw: gnb.Gateway) -> None:
    """With 200 waiting the widget shows each, any can be taken and answered, and each is answered once."""
    with gnb.connect(local.url, token=local.token, name="second") as second:  # 128 requests a connection
        answers = [ask((asking, second)[n % 2], f"echo number {n}") for n in range(200)]
        view.until("document.querySelectorAll('[role=option]').length === 200", 30)
        began = time.perf_counter()
        state = view.widget._state()
        assert (len(state["items"]), time.perf_counter() - began < 0.05) == (200, True)
        view.page.get_by_role("listbox").press("End")
        last = view.page.locator("[role=option]").last.inner_text().split("\n")[1]
        shown(view, last)
        view.until(f"!{ALLOW}.disabled")
        view.page.get_by_role("listbox").press("a")
        outcome(view, "allowed")
        for item in gw.approvals:
            item.deny()  # type: ignore[union-attr]
        decisions = [answer.result(10)["decision"] for answer in answers]
        assert (decisions.count("allow-once"), decisions.count("deny")) == (1, 199)
        view.until("document.querySelector('.gnb-approvals strong').textContent === '0 waiting'")


def test_nothing_is_declared_until_somebody_wants_it(
    browser: Any, local: gnb.LocalGateway, asking: gnb.Gateway, tmp_path: Path
) -> None:
    """The panel's tab asks first: only its button lets the gateway ask here; how many wait is in `count`."""
    folder = tmp_path / "page"
    folder.mkdir()
    with gnb.connect(local.url, token=local.token) as gw:
        widget = ApprovalsView(lambda: gw.approvals)
        with stub(browser, widget, folder) as page:
            page.open()
            page.until("document.querySelector('.gnb-approvals strong').textContent.includes('does not ask here')")
            assert not gw.approvals.listening
            page.page.get_by_role("button", name="Decide here").click()
            page.until("document.querySelector('.gnb-approvals strong').textContent === '0 waiting'")
            assert "now decides for the gateway" in page.text()
            assert gw.approvals.listening
            answer = ask(asking, "echo hi")
            shown(page, "echo hi")
            assert widget.count == 1
            gw.approvals.stop()
            page.until("document.querySelector('.gnb-approvals strong').textContent.includes('does not ask here')")
            page.until("document.querySelector('.gnb-decision [role=status]').textContent.includes('does not wait')")
            assert widget.count == 0
            assert not answer.done()
