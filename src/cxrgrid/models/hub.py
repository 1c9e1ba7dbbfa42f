"""The Hugging Face hub: asked once per process if it answers, before anything waits for it."""

import functools
import time

from huggingface_hub import constants
from huggingface_hub.utils import get_session

SECONDS, PAUSE = 3, 1  # for an answer; between the two tries
# What these of the hub's errors mean to a user.
MEANING = {
    "GatedRepoError": "its publisher asks for consent there, and for a login here: hf auth login",
    "RepositoryNotFoundError": "it is not there, or asks for a login: hf auth login",
}


@functools.cache
def unreachable() -> str:
    """Why the hub cannot be reached, in a few words; empty if it answers.

    If it does not, this process uses the hub's cache alone: the hub's client would try for half a
    minute for each file, and take it from the cache only then.
    """
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    for pause in (0, PAUSE):
        time.sleep(pause)
        try:
            get_session().head(constants.ENDPOINT, timeout=SECONDS)
            return ""
        except Exception as error:  # what the hub's client raises varies with version and network
            reason = type(error).__name__
    constants.HF_HUB_OFFLINE = True
    return f"{constants.ENDPOINT} cannot be reached: {reason}"


def why(error: Exception) -> str:
    """In a few words, why something of the hub could not be had."""
    name = type(error).__name__
    return unreachable() or MEANING.get(name, name)
