"""Times, amounts and failures in words, the same in `status` and on Snakemake's console."""


def duration(seconds: float) -> str:
    """A time as people say it: 2 d 3 h, 4 h 05 min, 12 min, 1 min 05 s, 40 s."""
    whole = round(seconds)
    minutes, hours = whole // 60, whole // 3600
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    if minutes >= 10:
        return f"{minutes} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"


def amount(size: float) -> str:
    """A number of bytes as people say it: 41.2 GB, 310 MB, 5 kB."""
    for unit, name in ((1e12, "TB"), (1e9, "GB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def failure(cause: str, reason: str) -> str:
    """Reason of a failure: its cause, if known, and its own words, unless these begin with it."""
    if not cause or reason.startswith((f"{cause}: ", f"{cause} ")):
        return reason
    return f"{cause}: {reason.removeprefix('error: ')}"
