"""What is kept of requests: JSON as it was, but for the secrets."""

from __future__ import annotations

import json

import pytest

from gateway_nb.client.redact import Log

TOKEN = "long-enough-to-be-known-everywhere"


@pytest.mark.parametrize(
    ("known", "before", "after"),
    [
        ((), '{"a":1}', '{"a":1}'),
        (("1234",), '{"ts":1712345678,"x":"no. 1234"}', '{"ts":1712345678,"x":"no. [secret]"}'),
        (("true",), '{"ok":true,"x":"true"}', '{"ok":true,"x":"[secret]"}'),
        (("apiKey",), '{"apiKey":"x","y":"apiKey"}', '{"apiKey":"[secret]","y":"[secret]"}'),
        (("nabcd",), '{"x":"\\nabcd"}', '{"x":"\\nabcd"}'),
        (("häßlich",), '{"x":"h\\u00e4\\u00dflich"}', '{"x":"[secret]"}'),
        (('say "hi"',), '{"x":"he: say \\"hi\\""}', '{"x":"he: [secret]"}'),
        (("one-secret", "one-secret-more"), '["one-secret-more"]', '["[secret]"]'),
        ((), '{"token":"null","x":null}', '{"token":"[secret]","x":null}'),
        ((), '{"apiKey" : "mock","mode":"mock"}', '{"apiKey" : "[secret]","mode":"mock"}'),
        ((), '{"token":5,"password":null}', '{"token":5,"password":null}'),
        ((), '{"x":"\\"token\\":\\"abc\\""}', '{"x":"\\"token\\":\\"abc\\""}'),
        ((), f'{{"token":"{TOKEN}","x":"Bearer {TOKEN}"}}', '{"token":"[secret]","x":"Bearer [secret]"}'),
        ((), '{"n":12345678901234567890.10,"token":"x"}', '{"n":12345678901234567890.10,"token":"[secret]"}'),
        ((TOKEN,), f'{{"{TOKEN}" : 1}}', '{"[secret]" : 1}'),
        (("broken",), '{"x":"broken \\q"}', '{"x":""}'),
    ],
)
def test_without_secrets(known: tuple[str, ...], before: str, after: str) -> None:
    """Known secrets go out of every string, those that a field names out of that field; nothing else changes."""
    log = Log()
    log.hide(known)
    assert log.without_secrets(before.encode()).decode() == after


def test_a_token_of_an_answer() -> None:
    """A token that an answer brought is known from then on; an ordinary word in such a field is not."""
    log = Log()
    log.without_secrets(json.dumps({"deviceToken": TOKEN, "token": "none"}).encode())
    assert log.clean(f"none of {TOKEN}") == "none of [secret]"
