# A grid of chest X-ray experiments: dataset × backbone × init × recipe × fold × seed.
#
#   snakemake                                          the embedded demo (config.yaml)
#   snakemake --configfile studies/kermany.yaml        a study
#   snakemake --profile slurm --configfile …           the same on a cluster
include: "workflow/Snakefile"


workflow.default_target = "all"  # Snakemake takes it from the main file alone
