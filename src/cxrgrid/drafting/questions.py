"""Questions of `new`: where two readings are possible, a person at a terminal chooses."""

import argparse
import sys
from typing import Any

from cxrgrid.config.errors import UserError

STOP = "none of these: stop"


class Question(UserError):
    """A mistake or a doubt that a choice would end; the message says how without a terminal.

    choices: {text: arguments of `new` that are changed by it}.
    """

    def __init__(self, message: str, choices: dict[str, dict[str, Any]]):
        super().__init__(message)
        self.choices = choices


def can_answer() -> bool:
    """True if a person sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def answered(question: Question, args: argparse.Namespace) -> argparse.Namespace:
    """The arguments with what was chosen; the question itself if nobody can or does choose."""
    if not can_answer():
        raise question
    texts = [*question.choices, STOP]
    print(question, *(f"  {number}  {text}" for number, text in enumerate(texts, 1)), sep="\n")
    try:
        number = input(f"1 to {len(texts)}: ").strip()
    except EOFError:
        raise question from None
    if not number.isdigit() or not 0 < int(number) < len(texts):
        raise question
    chosen = question.choices[texts[int(number) - 1]]
    return argparse.Namespace(**vars(args) | chosen)
