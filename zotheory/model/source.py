"""Where a causal language model comes from: a folder, a file or a hub's name, told apart."""

from __future__ import annotations

import re
from os import PathLike

from zotheory.arguments import as_path, shown

_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_CONFIGURATIONS = ("config.json", "adapter_config.json")  # of a model, of PEFT's adapter for one


class ModelError(ValueError):
    """A model that cannot be loaded, or that cannot be used for what is asked of it."""


def model_source(model: str | PathLike[str]) -> str:
    """The folder, ``.gguf`` file or hub's name as text; nothing is loaded, no hub is asked.

    What has the form of a hub's name and is no path here is taken for one.

    Raises:
        ModelError: it is neither, or a path to something else; the message names it.
    """
    if not isinstance(model, str | PathLike) or not str(model):
        raise ModelError(f"model must be the name of one or a path, got {shown(model)}")
    place = as_path("model", model, ModelError)
    told = f"cannot load a causal language model from {str(model)!r}: "
    try:
        folder, file = place.is_dir(), place.is_file()
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise ModelError(f"{told}{error.strerror}") from error
    if folder:
        if not any((place / name).is_file() for name in _CONFIGURATIONS):
            raise ModelError(f"{told}the folder holds no {_CONFIGURATIONS[0]}")
        return str(place)
    if file:
        if place.suffix != ".gguf":
            raise ModelError(f"{told}it is a file, neither a folder nor a .gguf file")
        return str(place)
    named = isinstance(model, str) and _HUB_NAME.fullmatch(model) and place.suffix != ".gguf"
    if not named:
        raise ModelError(f"{told}there is no such folder or file")
    return str(model)
