"""What is shown, logged or written: as it was, but for the secrets."""

from __future__ import annotations

import base64
import json
import logging
import random
import re
import string
import tracemalloc
import urllib.parse
from collections.abc import Callable

import msgspec
import pytest

from gateway_nb.client.event import Event
from gateway_nb.client.log import LOGGER, Log
from gateway_nb.client.redaction.redactor import EXAMINED, Redactor
from gateway_nb.client.redaction.shapes import MARK, is_secret_name, without_shapes
from gateway_nb.client.redaction.sieve import Sieve
from gateway_nb.client.run import RunResult
from gateway_nb.errors import GatewayError, request_error
from tests.helpers.price import price
from tests.helpers.secret_names import OTHER_NAMES, SECRET_NAMES, part_of

TOKEN = "long-enough-to-be-known-everywhere"
ODD = 'pass "word"/\\ +&=?é%'
CAPABILITY = "http://127.0.0.1:18789/cap/" + "0123456789abcdef" * 3
LONG = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=903))


def coded(before: bytes, secret: str, encode: Callable[[bytes], bytes] = base64.b64encode) -> str:
    return encode(before + secret.encode() + b"!!").decode()


@pytest.mark.parametrize("secret", [TOKEN, ODD, LONG])
@pytest.mark.parametrize(
    "form",
    [
        lambda secret: secret,
        lambda secret: json.dumps(secret),
        lambda secret: json.dumps(secret, ensure_ascii=False),
        lambda secret: json.dumps({"x": json.dumps({"y": secret})}),
        lambda secret: urllib.parse.quote(secret),
        lambda secret: urllib.parse.quote(secret, safe=""),
        lambda secret: re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(secret, safe="")),
        lambda secret: urllib.parse.quote_plus(secret),
        lambda secret: coded(b"", secret),
        lambda secret: coded(b"user:", secret),
        lambda secret: coded(b"me:", secret),
        lambda secret: coded(b"it:", secret, base64.urlsafe_b64encode),
        lambda secret: secret.encode().hex(),
        lambda secret: secret.encode().hex().upper(),
    ],
    ids=range(14),
)
def test_every_form(secret: str, form: Callable[[str], str]) -> None:
    """A secret is hidden as it is, as JSON, percent-encoded, in base64 wherever it begins there, and in hexadecimal."""
    redactor = Redactor([secret])
    there = form(secret)
    data = json.dumps({"a": f"<{there}>", f"<{there}>": [there, 1]}).encode()
    cleaned = json.loads(redactor.json(data))
    shown = json.dumps(cleaned)
    assert all(MARK in text for text in (cleaned["a"], list(cleaned)[1], cleaned[list(cleaned)[1]][0]))
    assert part_of(form(secret).strip('"'), shown) < 8
    assert (cleaned["a"][0], cleaned["a"][-1]) == ("<", ">")


@pytest.mark.parametrize(
    ("known", "before", "after"),
    [
        ((), '{"a":1}', '{"a":1}'),
        (("12345678",), '{"ts":1234567890,"x":"no. 12345678"}', '{"ts":1234567890,"x":"no. [secret]"}'),
        (("one-secret", "one-secret-more"), '["one-secret-more"]', '["[secret]"]'),
        ((TOKEN,), f'{{"{TOKEN}" : 1}}', '{"[secret]" : 1}'),
        ((TOKEN,), f'{{"n":12345678901234567890.10,"x":"{TOKEN}"}}', '{"n":12345678901234567890.10,"x":"[secret]"}'),
        ((TOKEN,), f'{{"x":"{TOKEN[:20]} and so on"}}', '{"x":"[secret] and so on"}'),
        (("main", TOKEN), '{"key":"agent:main:main","agentId":"main"}', '{"key":"agent:main:main","agentId":"main"}'),
        (("main",), '{"password":"main","agentId":"main"}', '{"password":"[secret]","agentId":"main"}'),
        (("main",), '{"x":"{\\"password\\":\\"main\\"}"}', '{"x":"{\\"password\\":\\"[secret]\\"}"}'),
        (("http://h/cap/abc",), '["http://h/cap/abc","http://h/cap"]', '["[secret]","http://h/cap"]'),
        ((TOKEN,), f'{{"x":"{TOKEN} \\q"}}', '{"x":"[secret]"}'),
        (("pass+word/é?",), '{"x":"pass\\u002Bword\\/\\u00E9?"}', '{"x":"[secret]"}'),
        (("pass+word/é?",), '{"x":"{\\"y\\":\\"pass\\\\u002Bword/é?\\"}"}', '{"x":"{\\"y\\":\\"[secret]\\"}"}'),
        ((TOKEN,), f'["\\ud800 {TOKEN}"]', '["\\ud800 [secret]"]'),
        ((TOKEN,), f'["{TOKEN}","cut of', '["[secret]","cut of'),
        ((TOKEN,), f'["a\\n{TOKEN}\\u00', '["a\\n[secret]'),
        ((TOKEN,), "[" * 5000 + f'"{TOKEN}"' + "]" * 5000, "[" * 5000 + '"[secret]"' + "]" * 5000),
    ],
)
def test_json(known: tuple[str, ...], before: str, after: str) -> None:
    """Secrets go out of the strings of JSON, short ones only where the field's name says so; nothing else changes."""
    assert Redactor(known).json(before.encode()).decode() == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"token":"null","x":null}', '{"token":"[secret]","x":null}'),
        ('{"apiKey" : "mock","mode":"mock"}', '{"apiKey" : "[secret]","mode":"mock"}'),
        ('{"token":5,"password":null,"x":"y"}', '{"token":5,"password":null,"x":"y"}'),
        ('{"secrets":["a",{"b":"c","n":1}],"x":"y"}', '{"secrets":["[secret]",{"b":"[secret]","n":1}],"x":"y"}'),
        (
            '{"secrets":[["a"],"b",{"c":{"d":"e"},"f":"g"},"h"],"x":["y"]}',
            '{"secrets":[["[secret]"],"[secret]",{"c":{"d":"[secret]"},"f":"[secret]"},"[secret]"],"x":["y"]}',
        ),
        ('[{"token":5},"x"]', '[{"token":5},"x"]'),
        ('{"x":"{\\"token\\":\\"abc\\"}"}', '{"x":"{\\"token\\":\\"[secret]\\"}"}'),
        ('{"x":"send \\"token\\": \\"abc\\" on"}', '{"x":"send \\"token\\": \\"[secret]\\" on"}'),
        ('{"args":["run","--token","abc","--top","x"]}', '{"args":["run","--token","[secret]","--top","x"]}'),
        ('{"env":{"A_TOKEN":"x","HOME":"/"}}', '{"env":{"A_TOKEN":"[secret]","HOME":"/"}}'),
        ('[{"name":"A_KEY","value":"x"}]', '[{"name":"A_KEY","value":"x"}]'),
        (
            '[{"name":"API_KEY","value":"x"},{"Key":"Cookie","n":1,"Value":["x"]},{"name":"HOME","value":"/"}]',
            '[{"name":"API_KEY","value":"[secret]"},{"Key":"Cookie","n":1,"Value":["[secret]"]},'
            '{"name":"HOME","value":"/"}]',
        ),
        ('{"t\\u006fken":"x"}', '{"t\\u006fken":"[secret]"}'),
        ('{"message":"count:4:60","maxTokens":5}', '{"message":"count:4:60","maxTokens":5}'),
    ],
)
def test_json_of_requests(before: str, after: str) -> None:
    """Of a request every string that a field's name or its own shape calls a secret is hidden, known or not."""
    assert Redactor().json(before.encode(), guess=True).decode() == after


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_names_of_secrets(name: str) -> None:
    """A field's name is a secret's by its last words, in any case and with any separators."""
    assert is_secret_name(name)


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_names_of_other_things(name: str) -> None:
    """Counts, keys that are public, cursors and words that only look alike are no secrets."""
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("it is Bearer abc.def-123, ok", "it is Bearer [secret], ok"),
        ("Basic dXNlcjpwYXNz and Basic Authentication", "Basic [secret] and Basic Authentication"),
        (
            "Basic bWU6cGFz, Basic eW91OnBhc3M= or Basic bWU6cGFzcw==",
            "Basic [secret], Basic [secret] or Basic [secret]",
        ),
        ("Basic bWU6cGFzcw without padding", "Basic [secret] without padding"),
        ("run --token abc --max-tokens 5", "run --token [secret] --max-tokens 5"),
        ("run --api-key=abc -x", "run --api-key=[secret] -x"),
        ("run --password 'two words' x", "run --password [secret] x"),
        ("wss://h/?token=abc&x=1&api_key=d", "wss://h/?token=[secret]&x=1&api_key=[secret]"),
        ("https://me:hunter2@h/x", "https://me:[secret]@h/x"),
        ("export OPENAI_API_KEY=abc; ls", "export OPENAI_API_KEY=[secret] ls"),
        ("-H 'X-Api-Key: abc' -v", "-H 'X-Api-Key: [secret]' -v"),
        ("Authorization=Bearer abc.def-123", "Authorization=[secret] [secret]"),
        ("--auth-token Bearer abc.def-123 x", "--auth-token [secret] [secret] x"),
        ("AUTHORIZATION=BASIC dXNlcjpwYXNz", "AUTHORIZATION=[secret] [secret]"),
        ("BEARER abc.def-123", "BEARER [secret]"),
        ('-d \'{"a":"{\\"token\\":\\"x\\"}","b":1}\'', '-d \'{"a":"{\\"token\\":\\"[secret]\\"}","b":1}\''),
        ("Cookie: a=b; c=d\nHost: x", "Cookie: [secret]\nHost: x"),
        ('{"password": "a\\"b", "x": 1} and', '{"password": "[secret]", "x": 1} and'),
        ("a -----BEGIN EC PRIVATE KEY-----\nMIG\n-----END EC PRIVATE KEY----- b", "a [secret] b"),
        ("-----BEGIN PUBLIC KEY-----\nMIG\n", "-----BEGIN PUBLIC KEY-----\nMIG\n"),
        ("key sk-abcdefghijklmnopqrstuvwx.", "key [secret]."),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[secret]"),
        ("xoxb-1234567890-abcdef", "[secret]"),
        ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[secret]"),
        ("123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1", "[secret]"),
        ("a task-force-of-very-many-people, 12:30, x=1", "a task-force-of-very-many-people, 12:30, x=1"),
        ("token=[secret] Bearer [secret]", "token=[secret] Bearer [secret]"),
    ],
)
def test_shapes(before: str, after: str) -> None:
    """What looks like a credential is hidden in any text, and ordinary words are not."""
    assert without_shapes(before) == after


@pytest.mark.long
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "=a",
        "\\",
        '"token":"',
        "a:",
        "://",
        "--a ",
        "-----BEGIN PRIVATE KEY-----",
        "eyJaaaaaaaa.",
        "sk-",
        "Bearer ",
        "x-",
        '\'a\':"b":"',
        "'a':'\\\"b\\\":\\\"",
    ],
)
def test_the_price_of_shapes(piece: str) -> None:
    """A text four times as long costs about four times as much to look at, whatever is in it."""

    def search(size: int) -> float:
        text = piece * (size // len(piece))
        return price(lambda: without_shapes(text))

    assert search(400_000) < 4 * 3 * search(100_000) + 0.01


@pytest.mark.long
def test_many_secrets() -> None:
    """Of what gateways gave the newest is remembered, in bounded number and size; the user's secrets are never lost."""
    redactor = Redactor([TOKEN])
    tracemalloc.start()
    for number in range(1000):
        redactor.hide([f"given-by-a-gateway-{number}-{index}" for index in range(3)])
        redactor.hide(["x" * 1_000_000])
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 2_000_000
    newest = f"given-by-a-gateway-{number}-2"
    assert redactor.text(f"{TOKEN} {newest}") == "[secret] [secret]"
    redactor.hide(f"all-at-once-{index}" for index in range(10_000))
    assert redactor.text(newest) == "[secret]"


@pytest.mark.long
def test_answers_full_of_secrets() -> None:
    """Thousands of secrets in answers make later ones no slower, and are forgotten."""
    redactor = Redactor([TOKEN])
    answer = json.dumps({"tokens": [{"token": f"secret-number-{n}", "n": n} for n in range(3000)]}).encode()

    def search() -> None:
        assert b"secret-number" not in redactor.json(answer, guess=True)

    first = price(search)
    for _ in range(12):
        search()
    assert price(search) < 3 * first + 0.01
    assert repr(redactor) == "<Redactor of 1 secrets>"


@pytest.mark.parametrize("before", ["", "x" * 590, "x" * (EXAMINED - 100), "x" * (EXAMINED + 1), LONG * 40 + " "])
@pytest.mark.parametrize("secret", [LONG, TOKEN, ODD])
def test_no_part_at_a_cut(before: str, secret: str) -> None:
    """Wherever a message is cut, no part of a secret is left at the cut, and the cut is marked."""
    log = Log()
    log.redactor.keep([LONG, secret])
    error = request_error("m", "1", code="X", message=before + secret, details={"a": before + secret})
    shown = log.clean_error(error)
    assert part_of(secret, f"{shown} {shown.args} {shown.details} {shown.gateway_message}") < 8  # type: ignore[attr-defined]
    assert len(str(shown)) <= 600
    if len(before) > EXAMINED:
        assert str(shown).endswith("…")


@pytest.mark.parametrize("part", range(1, 64, 7))
@pytest.mark.parametrize("limit", [0, 1, 50, 160])
@pytest.mark.parametrize("json_", [False, True])
@pytest.mark.parametrize("secret", [LONG, CAPABILITY], ids=["long", "url"])
def test_the_beginning_of_a_text(part: int, limit: int, json_: bool, secret: str) -> None:
    """However much shorter the replacements are, what follows them is no part of a secret that was cut."""
    redactor = Redactor([LONG, CAPABILITY])
    text = '"' * json_ + "~" * part + secret * 20
    shown = redactor.start(text[: limit + redactor.overlap + 1], limit, json=json_)
    assert re.fullmatch(r'"?~*(\[secret\])*(\[[secrt]*)?…?', shown)


def test_what_an_error_holds() -> None:
    """No attribute of an error repeats a secret: code, message, details, scopes."""
    log = Log()
    log.redactor.keep([TOKEN])
    error = request_error(
        "m",
        "1",
        code=f"CODE {TOKEN}",
        message=f"missing scope: {TOKEN}",
        details={TOKEN: [TOKEN, {"x": f"Bearer {TOKEN}"}], "password": "x"},
    )
    log.clean_error(error)
    assert TOKEN not in f"{error} {error.args} {vars(error)}"
    assert error.details == {MARK: [MARK, {"x": f"Bearer {MARK}"}], "password": "x"}


def test_a_large_message() -> None:
    """A message of 25 MB costs a few milliseconds, not its length."""
    log = Log()
    log.redactor.keep([TOKEN, LONG])
    message = (TOKEN + "\x1b ") * (25_000_000 // 36)
    errors: list[GatewayError] = []
    cost = price(lambda: errors.append(log.clean_error(request_error("m", "1", code=message, message=message))))
    assert cost < 0.05
    error = errors[-1]
    assert part_of(TOKEN, f"{error} {error.code}") < 8


def test_what_cannot_be_searched() -> None:
    """A value that can't be looked at is not shown; one without secrets is the same object."""
    redactor = Redactor([TOKEN])
    plain = {"a": [1, "x"]}
    assert redactor.value(plain) is plain
    assert redactor.value(object()) == MARK
    nested: list[object] = []
    nested.append(nested)
    assert redactor.value(nested) == MARK


def test_another_connection() -> None:
    """A log that goes on with another connection hides the former one's secrets, too."""
    former, now = Redactor(["the former one's"]), Redactor(["today's secret"])
    for number in range(30):
        former.hide([f"a former nonce {number:02}"])
    now.keep_also(former)
    found = now.text("the former one's, today's secret, a former nonce 07, a former nonce 29")
    assert found == "[secret], [secret], [secret], [secret]"


@pytest.mark.parametrize(("before", "shared"), [(b"", 0), (b":", 1), (b"::", 2)])
def test_base64_that_begins_in_the_middle(before: bytes, shared: int) -> None:
    """Of base64 no character stays that holds a part of the secret, wherever the text begins."""
    text = base64.b64encode(before + TOKEN.encode()).decode()
    assert Redactor([TOKEN]).text(text[shared:]) == MARK
    assert Redactor([TOKEN]).text(f"<{text}>") == f"<{text[:shared]}{MARK}>"


def test_what_a_gateway_gives() -> None:
    """Of what a gateway gives at once 8 values of 8 to 1,024 characters are hidden, of all it gives the newest 32."""
    redactor = Redactor()
    redactor.hide([f"<nonce no. {number}>" for number in range(9)])
    found = [redactor.text(f"<nonce no. {number}>") for number in range(9)]
    assert found == [MARK] * 8 + ["<nonce no. 8>"]
    sizes = (7, 8, 1024, 1025)
    values = ["".join(random.Random(size).choices(string.ascii_letters, k=size)) for size in sizes]
    redactor.hide(values)
    assert [redactor.text(value) == MARK for value in values] == [False, True, True, False]
    for number in range(31):
        assert redactor.text(values[1]) == MARK
        redactor.hide([f"<later nonce {number}>"])
    assert redactor.text(values[1]) == values[1]
    assert redactor.text("<later nonce 0>") == MARK


@pytest.mark.parametrize(
    ("secret", "enough"), [(TOKEN, 12), ("https://host.example/" + "cap/0123456789" * 5, 64), ("8letters", 8)]
)
def test_a_secret_that_was_cut_short(secret: str, enough: int) -> None:
    """A secret is recognized by its first 12 characters, a URL, which others may begin like, by its first 64."""
    redactor = Redactor([secret])
    assert redactor.text(f"<{secret[:enough]}>") == f"<{MARK}>"
    assert redactor.text(f"<{secret[: enough - 1]}>") == f"<{secret[: enough - 1]}>"


@pytest.mark.parametrize("levels", range(4))
def test_json_in_strings(levels: int) -> None:
    """Three strings of JSON, each in the one before, are looked through for the fields of secrets."""
    data = {"password": ["sesame"]}
    for _ in range(levels):
        data = {"x": json.dumps(data)}
    cleaned = Redactor().json(json.dumps(data).encode(), guess=True)
    assert b"sesame" not in cleaned
    for _ in range(levels):
        cleaned = json.loads(cleaned)["x"]
    assert json.loads(cleaned) == {"password": [MARK]}


def test_reprs_and_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    """An event's repr, and a traceback in the log, hide the secrets of every connection there is."""
    redactor = Redactor([TOKEN])
    event = Event(0.0, 1, f"e-{TOKEN}", 7, msgspec.Raw(json.dumps({"x": "y" * 60 + TOKEN}).encode()))
    assert part_of(TOKEN, repr(event)) < 8
    assert TOKEN in event.payload["x"]
    assert TOKEN in event.event
    try:
        raise GatewayError(f"a bug that says {TOKEN}")
    except GatewayError:
        LOGGER.exception("it failed: %s", TOKEN)
    assert "it failed: [secret]" in caplog.text
    assert "a bug that says [secret]" in caplog.text
    assert TOKEN not in caplog.text + repr(caplog.records)
    assert TOKEN not in repr(redactor)


def test_log_levels(caplog: pytest.LogCaptureFixture) -> None:
    """A line of the client's log is the same line in Python's logging, both without secrets."""
    caplog.set_level(logging.DEBUG)
    log = Log()
    log.redactor.keep([TOKEN])
    log.info(f"hello {TOKEN}")
    assert log.lines == ("info: hello [secret]",)
    assert caplog.messages == ["hello [secret]"]


@pytest.mark.parametrize(
    "secret",
    [TOKEN, ODD, "two\nlines of\tit", "häßlich-\u20ac-\U0001f600", "\x00\x01\x7f-with-controls", "[a](b)*+?{2}|^$"],
)
@pytest.mark.parametrize("short", [(), ("main", 'a"b\\', "\n")])
@pytest.mark.parametrize("size", [10, 100_000])
def test_lines(secret: str, short: tuple[str, ...], size: int) -> None:
    """Of many lines those that hold a secret lose it, and the others are the same bytes, in small and large batches."""
    redactor = Redactor([secret, *short])
    plain = [json.dumps({"n": number, "x": "y" * 80, "agent": "main"}).encode() for number in range(size // 100)]
    guilty = [json.dumps({"x": f"<{secret}>"}, ensure_ascii=ascii_only).encode() for ascii_only in (True, False)]
    lines = [*plain, *guilty, *plain, b'{"password": "main", "x": "main"}']
    found = redactor.lines(b"".join(line + b"\n" for line in lines)).splitlines()
    hidden = b"[secret]" if short else b"main"
    assert found == [
        *plain,
        b'{"x": "<[secret]>"}',
        b'{"x": "<[secret]>"}',
        *plain,
        b'{"password": "%b", "x": "main"}' % hidden,
    ]
    assert redactor.lines(b"\n".join(plain)) == b"\n".join(plain)


def test_a_hostile_number_of_urls() -> None:
    """Secrets of a gateway's choice do not make the search slow: thirty times an ordinary one's price at most."""
    rnd = random.Random(3)
    text = "".join(rnd.choices(string.ascii_letters + string.digits + ' {}":,.-_/%', k=100_000)).encode() * 10

    def search(*values: str) -> float:
        redactor = Redactor([TOKEN])
        for at in range(0, len(values), 8):
            redactor.hide(values[at : at + 8])
        assert redactor.lines(text) is text
        return price(lambda: redactor.lines(text))

    odd = ["http://" + "".join(rnd.choices('"\\/+ é%&?' + string.ascii_letters, k=1000)) for _ in range(64)]
    assert search(*odd) < 30 * search() + 0.05


@pytest.mark.parametrize("size", [11, 12, 40])
@pytest.mark.parametrize("offset", range(16))
def test_the_first_look(size: int, offset: int) -> None:
    """A string is seen wherever it begins and whatever follows; what has no such string passes."""
    wanted = bytes(range(65, 65 + size))
    sieve = Sieve([wanted, b"too short"])
    assert sieve.too_short == [b"too short"]
    for after in range(10):
        assert sieve.suspects(b"x" * offset + wanted + b"y" * after)
        assert sieve.suspects(b"x" * (offset + 1_000_000) + wanted + b"y" * after)
    assert not sieve.suspects(b"x" * 1_000_000 + wanted[:3] + wanted[9:])
    assert not sieve.suspects(b"")


def test_the_result_of_a_run() -> None:
    """An answer that repeats the token is shown without it, and is the agent's word in Python."""
    redactor = Redactor([TOKEN])
    result = RunResult("r", f"it is {TOKEN}", {})
    assert repr(result) == "RunResult(run_id='r', text='it is [secret]')"
    assert result.text == f"it is {TOKEN}"
    assert redactor.text(TOKEN) == MARK


@pytest.mark.parametrize(("depth", "hidden"), [(0, True), (3, True), (4, False)])
def test_json_in_strings_in_json(depth: int, hidden: bool) -> None:
    """A short secret, hidden by its field's name alone, is found in JSON in strings up to three deep."""
    value: dict[str, str] = {"password": "abc"}
    for _ in range(depth):
        value = {"x": json.dumps(value)}
    assert (b"abc" not in bytes(Redactor(["abc"]).json(json.dumps(value).encode()))) is hidden
