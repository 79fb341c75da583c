"""The doctor in a notebook, and in a process that has patched asyncio."""

from __future__ import annotations

import gateway_nb as gnb
from tests.helpers.kernel import Kernel
from tests.helpers.scripts import running


def test_magic(shared_kernel: Kernel) -> None:
    """``%gateway doctor URL`` shows a table in a running kernel, with the fault and what to do."""
    with gnb.LocalGateway() as local:
        done = shared_kernel.run(
            f"import os; os.environ['T'] = {local.token!r}\n%gateway doctor {local.url} --token-env T"
        )
        assert done.status == "ok"
        shown = done.displays[-1]
        assert "nothing is wrong" in shown["text/plain"]
        assert "<b>sign-in</b>" in shown["text/html"]
        assert local.token not in repr(done.displays)
    done = shared_kernel.run(f"%gateway doctor {local.url}")
    assert "wrong: tcp" in done.displays[-1]["text/plain"]
    assert "→ start the gateway" in done.displays[-1]["text/html"]


def test_nest_asyncio2_applied() -> None:
    """A patched asyncio is told of, and the doctor still gets to the gateway and back."""
    code = """
        import warnings
        warnings.simplefilter("ignore")
        import nest_asyncio2
        nest_asyncio2.apply()
        import gateway_nb as gnb
        with gnb.LocalGateway() as local:
            report = gnb.doctor(local.url, token=local.token)
        for finding in report.findings:
            print(finding.verdict, finding.check)
    """
    with running(code) as script:
        lines = script.rest()
    assert "warn nest_asyncio" in lines
    assert "ok scopes" in lines
