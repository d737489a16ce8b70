"""Check the value of each option before a command does anything: no blank text, no infinite number."""

from math import isfinite
from typing import Any

import click


class NotBlank(click.types.StringParamType):
    """Text with at least one character that is not white space. It is not changed."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value.

        Raises:
            click.BadParameter: The value is blank.
        """
        text = super().convert(value, param, ctx)
        if not str(text).strip():
            self.fail("it is empty. Leave the option out to use its default.", param, ctx)
        return text


class Finite(click.FloatRange):
    """A number in a range, which is neither infinite nor NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number.

        Raises:
            click.BadParameter: The value is not a number in the range.
        """
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def check_options(command: click.Command) -> None:
    """Give each option of a command, and of its subcommands, a type that refuses blank texts and infinite numbers."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            check_options(inner)
    for option in command.params:
        if not isinstance(option, click.Option) or option.is_flag:
            continue
        kind = option.type
        if type(kind) is click.types.StringParamType:
            option.type = NotBlank()
        elif type(kind) is click.FloatRange:
            option.type = Finite(kind.min, kind.max, kind.min_open, kind.max_open, kind.clamp)
