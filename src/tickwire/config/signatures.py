"""What `help()` shows of a section: its keys, their types and defaults."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_Function = TypeVar("_Function", bound=Callable[..., Any])


@functools.cache
def signature_of(section: type[BaseModel]) -> Signature:
    """Give the signature of a section; only a key that says so can be given by position."""
    fields = section.model_fields.items()
    parameters = [_parameter(name, field) for name, field in fields]
    # What is required comes first; the order of the section is kept otherwise.
    parameters.sort(key=lambda each: (each.kind, each.default is not Parameter.empty))
    return Signature(parameters)


def with_keys_of(section: type[BaseModel], **defaults: Any) -> Callable[[_Function], _Function]:
    """Let a function that takes the keys of a section as `**keys` show them one by one.

    Parameters
    ----------
    section
        Whose keys.
    **defaults
        Those that the function has otherwise.
    """

    def show(function: _Function) -> _Function:
        own = signature(function)
        kept = [each for each in own.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        keys = [
            each.replace(default=defaults.get(each.name, each.default), kind=Parameter.KEYWORD_ONLY)
            for each in signature_of(section).parameters.values()
        ]
        function.__signature__ = own.replace(parameters=[*kept, *keys])  # type: ignore[attr-defined] # of a function
        return function

    return show


def _parameter(name: str, field: FieldInfo) -> Parameter:
    default = field.get_default(call_default_factory=True, validated_data={})
    return Parameter(
        name,
        Parameter.POSITIONAL_OR_KEYWORD if field.kw_only is False else Parameter.KEYWORD_ONLY,
        default=Parameter.empty if field.is_required() else default,
        annotation=_plain(field.annotation),
    )


def _plain(annotation: Any) -> Any:
    """Give a type without what checks its values."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return functools.reduce(lambda one, other: one | other, map(_plain, get_args(annotation)))
    if get_origin(annotation) in (tuple, dict, list):
        return types.GenericAlias(get_origin(annotation), tuple(map(_plain, get_args(annotation))))
    return annotation
