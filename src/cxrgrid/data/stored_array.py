"""Arrays of a prepared dataset as they lie on the disk; one that is cut short is refused."""

from pathlib import Path

import numpy as np

from cxrgrid.config.errors import UserError, unread


def open_array(path: Path, dimensions: int = 3) -> np.ndarray:
    """uint8 array of a .npy file, memory-mapped; `UserError` unless its file is whole.

    Its size is compared with its header's, at no cost; its content is checked by `audit`.
    """
    again = f"remove it and prepare it again (snakemake {path})"
    try:
        array = np.lib.format.open_memmap(path, mode="r")
        size = array.offset + array.nbytes
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; prepare it (snakemake {path})") from None
    except OSError as error:
        raise unread(path, error) from None
    except (ValueError, TypeError, SyntaxError, OverflowError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: cut short or no array ({why}); {again}") from None
    if array.dtype != np.uint8 or array.ndim != dimensions or path.stat().st_size != size:
        what = f"{array.dtype} {list(array.shape)}, {path.stat().st_size:,} bytes"
        raise UserError(f"{path}: is not what was written ({what}); {again}")
    return array
