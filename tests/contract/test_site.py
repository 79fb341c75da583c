"""The documentation's site: it is built without a warning, its links lead somewhere, and each error has a page."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner

import gateway_nb as gnb
from gateway_nb.cli import docs
from gateway_nb.cli.main import main
from tests.helpers.support import missing

ROOT = Path(__file__).parents[2]
PAGES = tomllib.loads((ROOT / "notebooks" / "errors.toml").read_text())
_CODE = re.compile(
    r"""["']((?:AUTH|DEVICE|CONTROL_UI|PAIRING|PROTOCOL|CLIENT|APPROVAL|QUESTION|RUN|NODE|TLS)_[A-Z_]+)["']"""
)
_PREFIXES = {"AUTH_", "AUTH_TOKEN", "AUTH_PASSWORD", "DEVICE_AUTH_"}
_LOADED = re.compile(r"""<(?:script|img|iframe)[^>]*\ssrc="(?:https?:)?//|<link[^>]*\shref="(?:https?:)?//""")
_OPEN = "from pathlib import Path; from gateway_nb.cli import docs, main; docs.SITE = Path({!r}); main.main()"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site."""
    if any(importlib.util.find_spec(name) is None for name in ("sphinx", "myst_nb", "furo")):
        missing("docs", "pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(folder / "doctrees"), "notebooks"]
    done = subprocess.run([*command, str(folder / "html")], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


class Links(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.targets: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name in ("id", "name") and value:
                self.targets.add(value)


def broken(site: Path) -> Iterator[str]:
    pages = {page: Links(page) for page in site.rglob("*.html")}
    for page, found in pages.items():
        for link in found.links:
            address = urlsplit(link)
            if address.scheme in ("http", "https", "mailto", "data") or address.netloc:
                continue
            target = (page.parent / unquote(address.path)).resolve() if address.path else page
            if not target.is_file() or (address.fragment and unquote(address.fragment) not in pages[target].targets):
                yield f"{page.relative_to(site)}: {link}"


@pytest.mark.slow
def test_links(shared: Path) -> None:
    """Every link within the site leads to a page, and to the place in it that it names."""
    assert len(list(shared.rglob("*.html"))) > 60
    assert sorted(broken(shared)) == []


@pytest.mark.slow
def test_nothing_of_another_host(shared: Path) -> None:
    """No page loads a script, a style or a picture from elsewhere."""
    assert [page.name for page in shared.rglob("*.html") if _LOADED.search(page.read_text())] == []


@pytest.mark.slow
def test_every_public_name_is_there(shared: Path) -> None:
    """The reference has every name of the package."""
    reference = (shared / "reference.html").read_text()
    assert [name for name in gnb.__all__ if not re.search(rf"[.>]{name}\b", reference)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "page"),
    [("PairingRequiredError", "errors/PairingRequiredError"), ("auth_token_mismatch", "errors/AUTH_TOKEN_MISMATCH")],
)
def test_opening(shared: Path, tmp_path: Path, name: str, page: str) -> None:
    """``gateway-nb docs NAME`` opens the page of an error or a code, from the files that came with the package."""
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    command = [sys.executable, "-c", _OPEN.format(str(shared)), "docs", name]
    environment = {**os.environ, "BROWSER": str(browser)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    address = (shared / f"{page}.html").as_uri()
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{address}\n", "")
    assert opened.read_text() == f"{address}\n"


@pytest.mark.parametrize(
    ("pages", "name", "error"),
    [
        ([], "index", "this installation has no documentation, a wheel has; in a checkout: "),
        (["index"], "PairingRequierdError", "there is no page 'PairingRequierdError'; see: gateway-nb docs"),
        (["errors/RunFailedError"], "RunFialedError", "did you mean RunFailedError?"),
    ],
)
def test_no_such_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: list[str], name: str, error: str) -> None:
    """A page that is not there is named, with those that were perhaps meant."""
    (tmp_path / "errors").mkdir()
    for page in pages:
        (tmp_path / f"{page}.html").write_text("")
    monkeypatch.setattr(docs, "SITE", tmp_path)
    done = CliRunner().invoke(main, ["docs", name])
    assert done.exit_code == 1
    assert error in done.output


def test_every_error_has_a_page() -> None:
    """Each public error, and each code that the package has of a gateway, has a page that says what to do."""
    sources = "".join(path.read_text() for path in (ROOT / "gateway_nb").rglob("*.py"))
    public = {name: getattr(gnb, name) for name in gnb.__all__}
    classes = {name for name, item in public.items() if isinstance(item, type) and issubclass(item, Exception)}
    assert classes | (set(_CODE.findall(sources)) - _PREFIXES) <= PAGES.keys()
    assert [name for name, page in PAGES.items() if set(page) != {"what", "why", "do"} or not all(page.values())] == []
