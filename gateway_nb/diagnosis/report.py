"""What a diagnosis found, and how it looks: lines for a terminal, a table for a notebook, plain data for programs."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import GatewayError, one_line, printable

Verdict = Literal["ok", "warn", "fail", "skip"]
_MARKS = {"ok": "✓", "warn": "!", "fail": "✗", "skip": "·"}
_COLOURS = {"ok": "32", "warn": "33", "fail": "31", "skip": "2"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what, in one or two words; the name does not change.
        verdict: ``ok``; ``warn``: it works, and something is worth knowing; ``fail``; ``skip``: not there, or not
            reached.
        detail: what was seen, one line.
        advice: what to do, one line, or ``None``.
    """

    check: str
    verdict: Verdict
    detail: str
    advice: str | None = None


def failed(check: str, error: GatewayError | str, advice: str) -> Finding:
    """Return the finding for an error, whose line says both what happened and what to do.

    Args:
        check: what was looked at.
        error: ours, or its text.
        advice: what to do, if the error does not say.
    """
    text = one_line(error)
    # Behind a gateway's own words, which may hold a semicolon, the advice is what comes last.
    by_gateway = isinstance(error, GatewayError) and error.method == "connect"
    cut = text.rfind("; ") if by_gateway else text.find("; ")
    if cut < 0:
        return Finding(check, "fail", text, advice)
    return Finding(check, "fail", text[:cut], text[cut + 2 :])


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of a diagnosis, in the order in which they were made.

    Attributes:
        findings: all of them.

    Example:
        >>> report = gnb.doctor()
        >>> report.ok, [finding.check for finding in report.failures]
        (True, [])
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """What failed."""
        return tuple(finding for finding in self.findings if finding.verdict == "fail")

    @property
    def summary(self) -> str:
        """One line: what failed."""
        warnings = sum(finding.verdict == "warn" for finding in self.findings)
        aside = f" ({warnings} warning{'s' if warnings > 1 else ''}: !)" if warnings else ""
        if self.ok:
            return f"nothing is wrong{aside}"
        return f"wrong: {', '.join(finding.check for finding in self.failures)}{aside}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"ok": self.ok, "findings": [asdict(finding) for finding in self.findings]}

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def lines(self, *, colour: bool = False) -> Iterable[str]:
        """Yield a line for each finding, one more for what to do, and the summary; a terminal's may have colours."""
        width = max((len(finding.check) for finding in self.findings), default=0)
        for finding in self.findings:
            mark = _MARKS[finding.verdict]
            if colour:
                mark = f"\x1b[{_COLOURS[finding.verdict]}m{mark}\x1b[0m"
            yield f"{mark} " + printable(f"{finding.check:{width}}  {finding.detail}")
            if finding.advice is not None:
                yield printable(f"  {'':{width}}  → {finding.advice}")
        yield printable(self.summary)

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        cell = "<td style='text-align:left;vertical-align:top'>"
        rows = "".join(
            f"<tr>{cell}{_MARKS[finding.verdict]}</td>{cell}<b>{html.escape(finding.check)}</b></td>"
            f"{cell}{html.escape(finding.detail)}"
            + (f"<br>→ {html.escape(finding.advice)}" if finding.advice is not None else "")
            + "</td></tr>"
            for finding in self.findings
        )
        return f"<table>{rows}</table><div>{html.escape(self.summary)}</div>"
