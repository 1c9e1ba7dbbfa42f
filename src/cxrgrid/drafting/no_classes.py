"""Names of folders that say where, when, how or by whom images were made, and no class."""

import re

VIEWS = {"ap", "pa", "lat", "lateral", "ll", "frontal", "left", "right", "l", "r"}
SEXES = {"m", "f", "male", "female", "males", "females", "men", "women", "man", "woman", "w"}
NO_CLASSES = {
    "sexes": "|".join(SEXES),
    "views": "|".join(VIEWS)
    + r"|(portable|fixed|mobile|bedside|supine|erect|upright|standing|lying|ward|stationary)"
    r"([ _-]?(images?|x-?rays?|cxrs?))?",
    "years or months": r"(19|20)\d\d([-_. ]?(0?[1-9]|1[0-2]|q[1-4]))?|(19|20)\d\d[-_](19|20)?\d\d"
    r"|(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?"
    r"|oct(ober)?|nov(ember)?|dec(ember)?)([-_ ]?(19|20)?\d\d)?",
    "sites": r"(.*[ _-])?(sites?|hospitals?|cent(er|re)s?|clinics?|instituti?on?s?|institutes?"
    r"|cohorts?|sources?|datasets?|wards?|departments?|country|countries|city|cities"
    r"|univ(ersity)?)([ _-]?([a-z]|\d+|[ivx]+))?",
    "devices": r"(.*[ _-])?(devices?|scanners?|machines?|detectors?|vendors?|manufacturers?"
    r"|models?)([ _-]?([a-z]|\d+))?|siemens.*|philips.*|ge([ _-]?(healthcare|medical.*))?"
    r"|canon.*|fuji.*|agfa.*|carestream.*|kodak.*|konica.*|samsung.*|shimadzu.*|mindray.*",
    "readers": r"(dr[ _.-].*|(readers?|rad(iologist)?s?|annotators?|raters?|observers?|doctors?"
    r"|experts?|physicians?)([ _-]?([a-z]|\d+))?)",
    "qualities": r"(image)?[ _-]?((good|bad|poor|low|high|medium|best|fair|acceptable|(un)?usable"
    r"|(in)?adequate|(sub)?optimal|(non[ _-]?)?diagnostic|blurry|blurred|sharp|clean|noisy"
    r"|excluded?|included?|rejected|accepted|(un)?readable|discarded|kept)"
    r"([ _-]?(quality|images?|q|res(olution)?)?)?)|quality[ _-]?\w+|q\d",
    "formats": r"(png|jpe?g|tiff?|bmp|webp|dcm|dicoms?|jp2)s?([ _-]?(images?|files?|\d+))?",
    "sizes": r"(size)?[ _-]?(32|64|96|128|224|256|299|320|384|448|512|600|768|896|1024|2048"
    r"|\d{2,4}[ _]?(px|x[ _]?\d{2,4}))([ _-]?px)?",
    "versions of the images": r"(raw|original|orig|(pre[ _-]?)?processed|enhanced|clahe|equalized"
    r"|segmented|cropped|resized|augmented|aug|grayscale|greyscale|gr[ae]y|rgb|colou?r|inverted"
    r"|bone[ _-]?suppress(ed|ion)|lungs?|full)([ _-]?(images?|imgs?|data))?",
    "ages": r"(adult|child(ren)?|p(a)?ediatrics?|neonat(e|al)s?|infants?|elderly|young|old)s?"
    r"|\d{1,3}[ _-](to[ _-])?\d{1,3}([ _-]?(years?|y))?",
    "batches": r"(batch|part|chunk|shard|set|group|folder|disk|cd|vol(ume)?|archive|upload|fold|run"
    r"|series|week|day)[ _-]?(\d+|[a-z])",
}
HEALTHY = {"normal", "healthy", "nofinding", "control", "nodisease", "notfinding"}


def kind(names: list[str]) -> str:
    """The kind of which all names are, as `sites`; empty if they are of none."""
    for what, pattern in NO_CLASSES.items():
        if all(re.fullmatch(pattern, name, re.I) for name in names):
            return what
    return ""


def spelt_twice(labels: list[str]) -> str:
    """Why two classes may be one; empty where no two are called nearly alike."""
    first: dict[str, str] = {}
    for label in [label for label in labels if re.search(r"[^\W\d_]", label)]:
        letters = "".join(re.findall(r"[^\W_]|\+", label.casefold()))  # TB+ is not TB-
        key = re.sub(r"(?<=[a-z]{3})s$", "", letters)
        key = "normal" if key in HEALTHY else key
        other = first.setdefault(key, label)
        if other != label:
            return (
                f"the classes {other!r} and {label!r} may be one, spelt in two ways; call them "
                "the same"
            )
    return ""
