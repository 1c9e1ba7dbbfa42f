# DATA: from a folder of images to a table and an array of pixels, checked before any training.
#
# needs  datasets: in the config (an adapter and a root folder, or a phantom to draw)
# makes  results/data/{dataset}/: index.parquet, pixels.npy, table.parquet, audit.json
# cost   once a dataset, on CPUs; `pixels` decodes every image once, for all cells and studies


rule phantom:
    """Draw a cohort of schematic radiographs, laid out like a real dataset."""
    output:
        root=directory("<data>/phantom"),
    log:
        "<data>/phantom.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        settings=ask.phantom,
    shell:
        "python -m cxrgrid.phantom {params.settings:q} --out {output} > {log} 2>&1"


rule index:
    """List a dataset's images with their patients and labels, as they lie on disk."""
    input:
        ask.drawn,
    output:
        index="<data>/index.parquet",
    log:
        "<data>/index.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        settings=ask.index,
    shell:
        "python -m cxrgrid.index {params.settings:q} --out {output} > {log} 2>&1"


rule pixels:
    """Decode every image once, to one array of grey levels; set unreadable ones aside."""
    input:
        rules.index.output.index,
    output:
        pixels="<data>/pixels.npy",
        files="<data>/pixels.parquet",
    log:
        "<data>/pixels.log",
    conda:
        "../../envs/cxrgrid.yaml"
    threads: 16
    params:
        settings=ask.image,
    shell:
        "python -m cxrgrid.pixels {params.settings:q} --index {input} --out {output.pixels}"
        " --files {output.files} --threads {threads} > {log} 2>&1"


rule split:
    """Divide the images into train, validation and test; by patient, or by lists."""
    input:
        index=rules.index.output.index,
        files=rules.pixels.output.files,
        lists=ask.lists,
    output:
        table="<data>/table.parquet",
    log:
        "<data>/split.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        settings=ask.split,
    shell:
        "python -m cxrgrid.split {params.settings:q} --index {input.index} --files {input.files}"
        " --out {output} > {log} 2>&1"


rule audit:
    """Count everything from raw file to test image; stop if patients stand in two splits."""
    input:
        index=rules.index.output.index,
        files=rules.pixels.output.files,
        pixels=rules.pixels.output.pixels,
        table=rules.split.output.table,
    output:
        audit="<data>/audit.json",
        hashes="<data>/hashes.npy",
    log:
        "<data>/audit.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        leakage=ask.leakage,
    shell:
        "python -m cxrgrid.audit --index {input.index} --files {input.files}"
        " --pixels {input.pixels} --table {input.table} --out {output.audit}"
        " --hashes {output.hashes} {params.leakage} > {log} 2>&1"
