"""Files of the repository that an installed cxrgrid brings along: workflow, profiles, papers."""

from pathlib import Path

# In a checkout links to the repository's own folders; in an installed package copies of them.
FOLDER = Path(__file__).parents[1] / "shipped"
SNAKEFILE = FOLDER / "workflow/Snakefile"
