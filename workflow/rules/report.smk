# REPORT: tables, figures and one page that says how sure they are.
#
# needs  scores/*.parquet, the cells' predictions and histories, the datasets' audits and hashes
# makes  results/{study}/report/: metrics.csv, tables as CSV, Markdown and LaTeX, figures, report.html,
#        a page for each cell
# cost   seconds; comparing, one or two CPU seconds a cell on 25,000 images


rule overlap:
    """Find images that two datasets of the study share."""
    input:
        study=rules.study.output.study,
        tables=expand("{folder}/table.parquet", folder=ask.divisions()),
        hashes=expand("results/data/{dataset}/hashes.npy", dataset=grid.used()),
    output:
        overlap="<study>/overlap.json",
        seen="<study>/overlap.parquet",
    log:
        "<study>/overlap.log",
    # Before the trainings, which do not wait for it: a better comparison retrains nothing.
    priority: 10
    conda:
        "../../envs/cxrgrid.yaml"
    shell:
        "python -m cxrgrid.overlap {input.study} --out {output.overlap} --seen {output.seen}"
        " > {log} 2>&1"


rule collect:
    """Stack all scores and histories; list every cell of the study, done or missing."""
    input:
        study=rules.study.output.study,
        scores=expand("<study>/scores/{target}.parquet", target=grid.tested()),
        cells=stored.cells,
    output:
        metrics="<study>/report/metrics.csv",
        history="<study>/report/history.csv",
        cells="<study>/report/cells.csv",
        confusions="<study>/report/confusions.csv",
    log:
        "<study>/report/collect.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        out=subpath(output.metrics, parent=True),
    shell:
        "python -m cxrgrid.collect {input.study} --out-dir {params.out} > {log} 2>&1"


rule choose:
    """Choose configurations by the headline metric on validation images."""
    input:
        study=rules.study.output.study,
        # Made of the cells' predictions, which it reads: named here too, they would be planned twice.
        scores=expand("<study>/scores/{target}.parquet", target=grid.targets()),
        cells=stored.cells,
    output:
        validation="<study>/report/validation.csv",
    log:
        "<study>/report/choose.log",
    conda:
        "../../envs/cxrgrid.yaml"
    shell:
        "python -m cxrgrid.choose {input.study} --out {output.validation} > {log} 2>&1"


rule compare:
    """Test the main effect of each factor, and all pairs that differ in one axis."""
    input:
        study=rules.study.output.study,
        validation=rules.choose.output.validation,
        # As for `choose`; of datasets of test images only, too.
        scores=expand("<study>/scores/{target}.parquet", target=grid.tested()),
        beside=stored.results,
    output:
        comparisons=report(
            "<study>/report/comparisons.csv",
            caption="../report/table.rst",
            category="Tables",
        ),
        configurations="<study>/report/configurations.csv",
        effects=report(
            "<study>/report/effects.csv",
            caption="../report/table.rst",
            category="Tables",
        ),
        recommended="<study>/report/recommended.csv",
    log:
        "<study>/report/compare.log",
    conda:
        "../../envs/cxrgrid.yaml"
    shell:
        "python -m cxrgrid.compare --study {input.study} --validation {input.validation}"
        " --out {output.comparisons} --configurations {output.configurations}"
        " --effects {output.effects} --recommended {output.recommended} > {log} 2>&1"


rule table:
    """Write the tables: each module of cxrgrid.tables is one."""
    input:
        study=rules.study.output.study,
        metrics=rules.collect.output.metrics,
        cells=rules.collect.output.cells,
        validation=rules.choose.output.validation,
        compared=rules.compare.output,
        seen=rules.overlap.output.seen,
        shifts=shifted.results(),
        tables=expand("{folder}/table.parquet", folder=ask.divisions()),
        beside=stored.collected,
    output:
        report(
            expand("<study>/report/{table}.csv", table=grid.rows()),
            caption="../report/table.rst",
            category="Tables",
        ),
        texts=expand(
            "<study>/report/{table}.{kind}",
            table=grid.tables(),
            kind=["json", "md", "tex", "xlsx"],
        ),
    log:
        "<study>/report/table.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        report=subpath(input.metrics, parent=True),
    shell:
        "python -m cxrgrid.table {input.study} --report {params.report} > {log} 2>&1"


rule figure:
    """Draw the figures that the config asks for."""
    input:
        study=rules.study.output.study,
        metrics=rules.collect.output.metrics,
        history=rules.collect.output.history,
        cells=rules.collect.output.cells,
        validation=rules.choose.output.validation,
        compared=rules.compare.output,
        tables=expand("{folder}/table.parquet", folder=ask.divisions()),
        embeddings=explained.files("embedding"),
        shifts=shifted.results(),
        beside=stored.collected,
    output:
        report(
            expand("<study>/report/figures/{figure}.svg", figure=grid.figures()),
            caption="../report/figure.rst",
            category="Figures",
        ),
        expand("<study>/report/figures/{figure}.pdf", figure=grid.figures()),
    log:
        "<study>/report/figure.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        report=subpath(input.metrics, parent=True),
        out=subpath(output[0], parent=True),
    shell:
        "python -m cxrgrid.figure {input.study} --report {params.report} --out-dir {params.out}"
        " > {log} 2>&1"


rule report:
    """Write the report: one page with findings, tables, figures and data audits."""
    input:
        study=rules.study.output.study,
        collected=rules.collect.output,
        validation=rules.choose.output.validation,
        compared=rules.compare.output,
        tables=rules.table.output,
        figures=rules.figure.output,
        pixels=expand("results/data/{dataset}/pixels.npy", dataset=grid.used()),
        audits=expand("{folder}/audit.json", folder=ask.divisions()),
        overlap=rules.overlap.output.overlap,
        scores=expand(
            "<study>/{kind}/{target}.parquet",
            kind=["scores", "curves", "thresholds"],
            target=grid.targets(),
        ),
        galleries=explained.files("gallery"),
        pointing=explained.files("pointing"),
        beside=stored.results,
    output:
        page="<study>/report/report.html",
        text=expand("<study>/report/{name}", name=["methods.md", "methods.tex", "captions.md"]),
        checklist="<study>/report/checklist.md",
        # For `--report x.zip`: the page once more, beside the cells' pages that it leads to.
        cells=report(
            directory("<study>/report/cells"),
            htmlindex="index.html",
            caption="../report/report.rst",
            category="Report",
            labels={"page": "report"},
        ),
    log:
        "<study>/report/report.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        report=subpath(output.page, parent=True),
    shell:
        "python -m cxrgrid.report {input.study} --report {params.report} --out {output.page}"
        " > {log} 2>&1"
