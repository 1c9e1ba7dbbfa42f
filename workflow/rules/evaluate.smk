# EVALUATE: from predictions to scores; no GPU from here on.
#
# needs  predictions/*.parquet of the cells, and transfer/*.parquet of those of other datasets
# makes  results/{study}/scores/{target}.parquet, curves/{target}.parquet, thresholds/{target}.parquet,
#        shifts/*.parquet
# cost   CPU minutes; all cells of a target together, on the same resampled patients


localrules:
    study,


rule study:
    """Write the checked config of the study as run."""
    output:
        study="<study>/study.json",
    log:
        "<study>/study.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        config=ask.config,
    shell:
        "python -m cxrgrid.study {params.config:q} --out {output} > {log} 2>&1"


rule score:
    """Score every cell that was tested on a target, with intervals over its patients."""
    input:
        study=rules.study.output.study,
        predictions=ask.predictions,
        transferred=ask.transferred,
        external=ask.external,
        tests=ask.tests,
        tables=ask.tables,
        audits=ask.audits,
        cells=stored.cells,
    output:
        scores="<study>/scores/{target}.parquet",
        curves="<study>/curves/{target}.parquet",
        thresholds="<study>/thresholds/{target}.parquet",
    log:
        "<study>/scores/{target}.score.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        # Only for Snakemake: scores with another default's intervals are made again.
        interval=ask.interval,
    shell:
        "python -m cxrgrid.score {input.study} --target {wildcards.target} --out {output.scores}"
        " --curves {output.curves} --thresholds {output.thresholds} > {log} 2>&1"


rule robustness:
    """Hold answers under changes against those on unchanged images of the same patients."""
    input:
        study=rules.study.output.study,
        shifted=shifted.files(),
        cells=stored.cells,
    output:
        losses="<study>/shifts/losses.parquet",
        abstention="<study>/shifts/abstention.parquet",
        coverage="<study>/shifts/coverage.parquet",
        unfamiliar="<study>/shifts/unfamiliar.parquet",
    log:
        "<study>/shifts/robustness.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        out=subpath(output.losses, parent=True),
    shell:
        "python -m cxrgrid.robustness {input.study} --out-dir {params.out} > {log} 2>&1"
