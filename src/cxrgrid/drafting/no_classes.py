"""Names of folders that say where, when, how or by whom images were made, and no class."""

import re
from pathlib import Path

# Cities, countries, well-known hospitals and published datasets, in letters and digits alone.
PLACES = set(Path(__file__).with_name("places.txt").read_text("utf-8").split())
GENERIC = r"(films?|images?|imgs?|cxrs?|x-?rays?|data|scans?|cases|year|from|the|dr|cr|dx)"
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
    r"|(ge[ _-])?(optima|definium|discovery|brivo|drx|digital[ _-]?diagnost|essenta|axiom|ysio"
    r"|mobilett|multix|luminos|fdr|aero[ _-]?dr|radnext|sonialvision).*"
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


# What names of classes are made of, in some languages; any of it and a name may be a class.
FINDING = re.compile(
    r"normal|health|finding|disease|patholog|sick|\bill\b|well|covid|corona|sars|mers|ards|ncp"
    r"|pneumo|neumon|tubercul|tuberkul|\btb|viral|virus|bacteri|fung|influenza|streptoc|klebsiel"
    r"|legionel|mycoplas|opaci|infiltr|consolid|effus|(o?e|ö)dem|atelect|cardio|kardio|emphys"
    r"|fibros|nodul|mass|tumou?r|cancer|kreb|malign|benign|carcin|hernia|thicken|pleura|fractur"
    r"|lesion|scar|calci|bronch|asthma|copd|silico|asbest|lymph|sarcoid|aort|heart|lung|pulmon"
    r"|poumon|polmon|chest|positi|negati|class|label|type|category|categories|grade|stage|level|score|degree"
    r"|mild|moderat|sever|critic|typical|indeterminate|control|case|suspect|confirm|active|latent"
    r"|present|absent|\byes|\bno\b|\bnon|\bnot\b|true|false|device|tube|cathet|pacemak|implant"
    r"|foreign|object|clear|hazy|congest|intersti|infect|inflam|death|dead|surviv|aliv|decease"
    r"|recover|discharg|icu|intub|ventil|risk|\blow|high|change|cyst|abscess|granul|embol|other"
    r"|gesund|krank|befund|erguss|bruch|sain\b|malad|épanch|sano|sana|enferm|derrame|saud|malat",
    re.I,
)
PROPER = re.compile(
    r"(?:[A-Z]\w*['’.]?|of|de|di|du|la|al)(?:[ _-]+(?:[A-Z]\w*['’.]?|of|de|di|du|la|al))*"
)


def kind(names: list[str]) -> str:
    """The kind of which all names are, as `sites`; empty if they are of none."""
    plain = [without_generic(name) for name in names]
    for what, pattern in NO_CLASSES.items():
        if any(all(re.fullmatch(pattern, one, re.I) for one in form) for form in (names, plain)):
            return what
    return "sites" if all(map(is_place, plain)) else ""


def without_generic(name: str) -> str:
    """A name without words that say nothing, as `2019` of `2019_films`; itself if it is one."""
    words = re.split(r"[ _-]+", name)
    return " ".join(word for word in words if not re.fullmatch(GENERIC, word, re.I)) or name


def is_place(name: str) -> bool:
    """True for a city, country, well-known hospital or published dataset, with or without a word
    such as `hospital` or a number."""
    words = [word for word in re.split(r"[ _-]+", name.casefold()) if not word.isdigit()]
    named = any(word in PLACES for word in words if len(word) > 2) and not like_a_class(name)
    return named or "".join(words) in PLACES


def like_a_class(name: str) -> bool:
    """True if a name holds a word of findings, or of degrees of one."""
    return bool(FINDING.search(re.sub("[_-]", " ", name)))


def proper_names(names: list[str]) -> bool:
    """True for names that begin with a capital as those of places and people do, none of which
    holds a word of findings; abbreviations alone may be of anything."""
    proper = all(map(PROPER.fullmatch, names)) and not any(map(like_a_class, names))
    return proper and any(re.search(r"[a-z]{2}", name) for name in names)


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
