"""What is taken out of texts and URLs before anybody sees them."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire import redaction
from tickwire.errors import ConfigError, TickwireError
from tickwire.redaction import HIDDEN, hidden, hide, hide_headers, hide_url, shown, shown_url


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {})
    monkeypatch.setattr(redaction, "_found_by", ())


@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda secret: quote(secret, safe=""),
        lambda secret: json.dumps({"echo": secret}),
        lambda secret: repr([secret]),
        lambda secret: base64.b64encode(secret.encode()).decode(),
    ],
    ids=["plain", "percent", "json", "repr", "base64"],
)
def test_a_secret_is_hidden_in_each_form(form) -> None:
    secret = 'p4ss/w"örd+= \\'  # noqa: S105 - made up
    hide(secret)
    said = f"before {form(secret)} after"
    assert form(secret).strip("[]'\"") not in hidden(said)
    assert hidden(said).startswith("before ")
    assert HIDDEN in hidden(said)


def test_the_longer_of_two_secrets_goes_first() -> None:
    hide("abcd")
    hide("abcdefgh")
    assert hidden("abcdefgh abcd") == f"{HIDDEN} {HIDDEN}"


def test_a_short_word_is_no_secret() -> None:
    hide("ab")
    hide("")
    assert hidden("a cab ab") == "a cab ab"


def test_secrets_are_bounded_and_the_oldest_go() -> None:
    for number in range(redaction.MAX_SECRETS + 10):
        hide(f"token-{number:05}-x")
        hide("kept-in-use")
    assert len(redaction._secrets) == redaction.MAX_SECRETS
    assert hidden("token-00000-x") == "token-00000-x"
    assert hidden("kept-in-use token-00150-x") == f"{HIDDEN} {HIDDEN}"


def test_headers_and_the_user_of_a_url() -> None:
    hide_headers([("Authorization", "Bearer tokentoken"), ("User-Agent", "tickwire")])
    hide_url("http://me:p%40ssword@proxy:3128/path")
    assert hidden("tokentoken tickwire") == f"{HIDDEN} tickwire"
    assert hidden("p@ssword p%40ssword") == f"{HIDDEN} {HIDDEN}"
    assert hidden(base64.b64encode(b"me:p@ssword").decode()) == HIDDEN


def test_an_error_hides_it() -> None:
    hide("tokentoken")
    assert str(TickwireError("401 tokentoken")) == f"401 {HIDDEN}"
    error = ConfigError(["a: tokentoken", "b"])
    assert (str(error), error.problems) == (f"a: {HIDDEN}\nb", [f"a: {HIDDEN}", "b"])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://stream.binance.com:9443/stream", "wss://stream.binance.com:9443/stream"),
        ("wss://u:pw@h:1/p", "wss://h:1/p"),
        ("http://user@h", "http://h"),
        ("u:pw@h:1", "h:1"),
        ("wss://u:p/w@h/x", "wss://u:p/w@h/x".replace("u:p/w@", "")),
        ("wss://h/ws/pqia91ma19a5s61cv6a81va65sdf19v8a65a1", f"wss://h/ws/{HIDDEN}"),
        ("https://h/d?symbol=BTC&limit=5", "https://h/d?symbol=BTC&limit=5"),
        ("https://h/d?apiKey=k&x=1", f"https://h/d?apiKey={HIDDEN}&x=1"),
        ("https://h/d?a=01234567890123456789", f"https://h/d?a={HIDDEN}"),
        ("https://h/d?01234567890123456789", f"https://h/d?{HIDDEN}"),
        ("https://h/?streams=btcusdt@trade/ethusdt@trade", None),
        ("https://h/d?symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT&limit=5", None),
        ("https://h/d#token", "https://h/d"),
        ("https://h/a\nb", "https://h/a\\nb"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_key(url: str, expected: str | None) -> None:
    assert shown_url(url) == (url if expected is None else expected)


@given(st.text(), st.text(), st.text())
def test_of_any_url_neither_user_nor_control_characters_are_shown(
    user: str, place: str, query: str
) -> None:
    said = shown_url(f"wss://{user}@{place}?{query}")
    assert not redaction._UNPRINTABLE.search(said)
    assert "@" not in said.partition("?")[0]


def test_a_text_from_elsewhere_is_one_short_line() -> None:
    hide("tokentoken")
    assert shown("a\x1b[31m\r\n\x00\u202eb") == "a\\x1b[31m\\r\\n\\x00\\u202eb"
    assert shown("x" * 1000) == "x" * 497 + "..."
    # Nor is one at the end of what is searched.
    text = ("x" * (redaction.LONGEST_SEARCHED - 5) + "tokentoken") * 2
    assert "toke" not in hidden(text)
    # A secret at the limit is not cut in two and so overlooked.
    for before in range(480, 500):
        assert "token" not in shown("x" * before + "tokentoken" + "y" * 100)
