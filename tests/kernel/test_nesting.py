"""asyncio patched by others, or by request: the client, the magics and Run All work all the same."""

from __future__ import annotations

from importlib.metadata import version

import pytest

import gateway_nb as gnb
from tests.helpers.kernel import Kernel
from tests.helpers.support import missing

_USE = [
    "assert gw.request('health')['ok']",
    "%%gateway sessions.list -o rows",
    "assert (await gw.submit('health'))['ok']",
    "run = gw.run('count:3:10')\nassert run.result().text == '1 2 3'",
]
_ASYNC = """
import asyncio
async def ask():
    async with gnb.AsyncGateway() as agw:
        return (await agw.request("health"))["ok"]
"""


@pytest.fixture
def fresh(local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Kernel:
    """A kernel that knows the gateway, with nothing imported yet."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
    kernel: Kernel = request.getfixturevalue("kernel")
    return kernel


def ran(kernel: Kernel, *cells: str) -> None:
    for cell in cells:
        outcome = kernel.run(cell)
        assert outcome.status == "ok", (cell, outcome.error)


@pytest.mark.parametrize("when", ["before the import", "after the import", "after connecting", "never"])
@pytest.mark.parametrize("library", ["nest_asyncio2", "nest_asyncio"])
def test_patched_by_others(fresh: Kernel, library: str, when: str) -> None:
    """Whoever applies either library, and whenever: requests, magics, awaits and runs work."""
    steps = {
        "before the import": "import gateway_nb as gnb\n%load_ext gateway_nb",
        "after the import": "gw = gnb.connect()",
        "after connecting": "assert gw.status.state == 'connected'",
    }
    for name, step in steps.items():
        if name == when:
            ran(fresh, f"import warnings, {library}\n{library}.apply()")
        ran(fresh, step)
    ran(fresh, *_USE, "gw.close()")


def test_run_all(fresh: Kernel) -> None:
    """Run All sends every cell at once: with nest_asyncio2 applied each runs, in order, each with blocking calls."""
    ran(fresh, "import gateway_nb as gnb, asyncio\ngnb.nesting.enable()\n%load_ext gateway_nb\n%gateway connect")
    ran(fresh, _ASYNC)
    cells = [f"print({number}, gw.request('health')['ok'], asyncio.run(ask()))" for number in range(5)]
    ids = [fresh.start(cell) for cell in cells]
    assert [fresh.outcome(one).text for one in ids] == [f"{number} True True\n" for number in range(5)]
    ran(fresh, "gw.close()")


def need_ipykernel_7() -> None:
    """With an older kernel the archived library loses nothing."""
    if int(version("ipykernel").partition(".")[0]) < 7:
        missing("ipykernel", "this is about ipykernel 7 and newer")


def test_enabling(fresh: Kernel) -> None:
    """enable applies nest_asyncio2, once; the archived library is refused here, with what it would lose."""
    need_ipykernel_7()
    ran(fresh, "import gateway_nb as gnb")
    assert fresh.run("print(gnb.nesting.status().applied)").text == "None\n"
    refused = fresh.run("gnb.nesting.enable('nest_asyncio')").error[-1]
    assert "queued cells never run, and clicks vanish; nest_asyncio2 does the same without that" in refused
    said = fresh.run("print(gnb.nesting.enable().applied, gnb.nesting.enable().applied)").text
    assert said == "nest_asyncio2 nest_asyncio2\n"
    assert "only one" in fresh.run("gnb.nesting.enable('nest_asyncio', force=True)").error[-1]


def test_forcing(fresh: Kernel) -> None:
    """The archived library is applied when forced, and the status says what is lost."""
    need_ipykernel_7()
    ran(fresh, "import gateway_nb as gnb\ngnb.nesting.enable('nest_asyncio', force=True)")
    assert "nest_asyncio is applied: on ipykernel" in fresh.run("print(gnb.nesting.status())").text
