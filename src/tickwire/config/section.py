"""What all sections of a configuration share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tickwire.config.problems import problems_of
from tickwire.config.signatures import signature_of
from tickwire.errors import ConfigError


class Section(BaseModel):
    """What all sections share: strict types, no unknown keys, `ConfigError` on a mistake."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, allow_inf_nan=False
    )

    def anchored(self, folder: Path) -> Self:
        """Give the section with its relative paths starting at `folder`."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        paths = {name: folder / v for name, v in values.items() if isinstance(v, Path)}
        return self.model_copy(update=paths)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.__signature__ = signature_of(cls)

    if not TYPE_CHECKING:  # the synthesised signature stays visible to type checkers

        def __init__(self, *values: Any, **keys: Any) -> None:
            keys = signature_of(type(self)).bind_partial(*values).arguments | keys
            try:
                super().__init__(**keys)
            except ValidationError as error:
                raise ConfigError(problems_of(error, sorted(type(self).model_fields))) from None
