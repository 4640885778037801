"""How bad an error is, by its class, its errno, where it came from and where it happened."""

import errno

import pytest

from tickwire import errors
from tickwire.config import Context, Severity, SeveritySettings
from tickwire.errors import ConfigError
from tickwire.supervise.severity import ACTIONS, Action, SeverityTable, rule_of

LOW, MEDIUM, HIGH, CRITICAL = Severity


def test_each_severity_has_its_action() -> None:
    assert [ACTIONS[severity] for severity in Severity] == [
        Action.COUNT,
        Action.RETRY,
        Action.DEGRADE,
        Action.EMERGENCY,
    ]


@pytest.mark.parametrize(
    ("error", "context", "severity", "action"),
    [
        (errors.Unreachable("gone"), Context.CONNECT, MEDIUM, Action.RETRY),
        (errors.HandshakeError("no", 429), Context.HANDSHAKE, MEDIUM, Action.RETRY),
        (errors.ConnectionLost("timeout"), Context.SESSION, MEDIUM, Action.RETRY),
        (errors.RequestRefused("no"), Context.SUBSCRIBE, MEDIUM, Action.RETRY),
        (errors.DecodeError("missing", "a trade"), Context.DECODE, LOW, Action.COUNT),
        (errors.TickwireError("old"), Context.BOOK, MEDIUM, Action.RETRY),
        (errors.RequestRefused("418"), Context.REST, MEDIUM, Action.RETRY),
        (errors.SinkError("read-only"), Context.SINK, HIGH, Action.DEGRADE),
        (errors.TickwireError("state"), Context.STATE, MEDIUM, Action.RETRY),
        (ValueError("torn"), Context.RING, CRITICAL, Action.EMERGENCY),
        (ZeroDivisionError(), Context.HOOK, MEDIUM, Action.RETRY),
        (ZeroDivisionError(), Context.TASK, HIGH, Action.DEGRADE),
        (errors.RequestRefused("all"), Context.FEED, HIGH, Action.STOP),
        (ConfigError(["no such symbol"]), Context.FEED, HIGH, Action.STOP),
        (MemoryError(), Context.SESSION, HIGH, Action.DEGRADE),
        (OSError(errno.ENOSPC, "full"), Context.STATE, HIGH, Action.DEGRADE),
        (ZeroDivisionError(), Context.CONNECT, HIGH, Action.DEGRADE),  # not in the table
    ],
)
def test_the_feed_s_own_table(
    error: BaseException, context: Context, severity: Severity, action: Action
) -> None:
    judged = SeverityTable().judge(error, context)
    assert (judged.severity, judged.action) == (severity, action)


@pytest.mark.parametrize("context", Context)
def test_every_error_is_judged_in_every_context(context: Context) -> None:
    judged = SeverityTable().judge(BaseException(), context)
    assert judged.severity is HIGH


def table(*rules: SeveritySettings) -> SeverityTable:
    return SeverityTable([rule_of(rule) for rule in rules])


def test_the_user_s_lines_come_first_in_their_order() -> None:
    asked = table(
        SeveritySettings(error="ENOSPC", severity="critical", context="sink"),
        SeveritySettings(error="tickwire.errors:SinkError", severity="low"),
        SeveritySettings(error=errors.TickwireError, severity="critical"),
    )
    assert asked.judge(OSError(errno.ENOSPC, "full"), Context.SINK).severity is CRITICAL
    assert asked.judge(OSError(errno.ENOSPC, "full"), Context.STATE).severity is HIGH
    assert asked.judge(errors.SinkError("x"), Context.SINK).severity is LOW
    assert asked.judge(errors.Unreachable("x"), Context.CONNECT).severity is CRITICAL
    # What would have ended the feed shuts it down.
    assert asked.judge(errors.TickwireError("x"), Context.FEED).action is Action.EMERGENCY


def test_an_error_is_known_by_what_it_came_from_though_its_text_hides_that() -> None:
    asked = table(SeveritySettings(error="EROFS", severity="critical"))
    found: list[Exception] = []
    for hides in (True, False):
        try:
            try:
                raise OSError(errno.EROFS, "read-only")
            except OSError as error:
                raise errors.SinkError("cannot be written") from (None if hides else error)
        except errors.SinkError as error:
            found.append(error)
    assert [asked.judge(each, Context.SINK).severity for each in found] == [CRITICAL] * 2
    assert asked.judge(errors.SinkError("another"), Context.SINK).severity is HIGH


def test_errors_that_came_from_each_other_end_somewhere() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__context__, second.__context__ = second, first
    assert SeverityTable().judge(first, Context.TASK).severity is HIGH


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        ("ENOSPACE", "error: is 'ENOSPACE', should be 'package.module:NAME', the name of an errno"),
        ("int", "error: is 'int', should be"),
        (5, "error: is 5, should be"),
        (int, "error: is <class 'int'>, should be"),
    ],
)
def test_what_is_no_error_is_refused(error: object, wrong: str) -> None:
    with pytest.raises(ConfigError) as failed:
        SeveritySettings(error=error, severity="low")
    assert failed.value.problems[0].startswith(wrong)


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        ("tickwire.errors:Missing", "'tickwire.errors:Missing': tickwire.errors has no 'Missing'"),
        ("tickwire.errors:hidden", "is 'tickwire.errors:hidden', which is no class of errors"),
        ("no_such_module:Error", "no module 'no_such_module'"),
    ],
)
def test_a_place_without_an_error_is_refused(error: str, wrong: str) -> None:
    with pytest.raises(ConfigError) as failed:
        rule_of(SeveritySettings(error=error, severity="low"))
    assert failed.value.problems[0].startswith(wrong)


def test_words_that_do_not_exist_are_named() -> None:
    with pytest.raises(ConfigError) as failed:
        SeveritySettings(error="OSError", severity="fatal", context="sinks")
    assert failed.value.problems == [
        "severity: is 'fatal', should be one of 'low', 'medium', 'high', 'critical'",
        "context: is 'sinks', should be one of " + ", ".join(f"'{each}'" for each in Context),
    ]
