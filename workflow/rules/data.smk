# DATA: from a folder of images to a table and an array of pixels, checked before any training.
#
# needs  datasets: in the config (an adapter and a root folder, or a phantom to draw)
# makes  results/data/{dataset}/: index.parquet, pixels.npy, table.parquet, audit.json; and for each
#        other image recipe of the cells pixels-size512.npy and the like; for each further fold of a
#        dataset that the grid cross-validates fold1/table.parquet, fold1/audit.json, hashes.npy
# cost   once per dataset, on CPUs; `pixels` decodes every image once, for all cells and studies


rule phantom:
    """Draw a cohort of schematic radiographs in the layout of a real dataset."""
    output:
        # Images lie on a disk that all jobs see, wherever the results do.
        root=local(directory("<data>/phantom")),
    log:
        "<data>/phantom.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        settings=ask.phantom,
    shell:
        "python -m cxrgrid.phantom {params.settings:q} --out {output} > {log} 2>&1"


rule index:
    """List a dataset's images on disk with their patients and labels."""
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
    """Decode every image once into an array of grey levels; set unreadable ones aside."""
    input:
        index=rules.index.output.index,
        readable=ask.readable,
    output:
        pixels="<data>/pixels{image}.npy",
        files="<data>/pixels{image}.parquet",
    log:
        "<data>/pixels{image}.log",
    # None for the dataset's own recipe, else what differs from it: -size512.
    wildcard_constraints:
        image="|-[^/]+",
    conda:
        "../../envs/cxrgrid.yaml"
    threads: 16
    params:
        settings=ask.image,
        study=ask.study,
    shell:
        "python -m cxrgrid.pixels {params.settings:q} --index {input.index} --out {output.pixels}"
        " --files {output.files} --readable {input.readable}"
        " --study {params.study}"
        " --threads {threads} > {log} 2>&1"


rule split:
    """Divide the images into train, validation and test; by patient, or by lists."""
    input:
        index=rules.index.output.index,
        files="results/data/{dataset}/pixels.parquet",
        lists=ask.lists,
    output:
        table="<data>{fold}/table.parquet",
    log:
        "<data>{fold}/split.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        settings=ask.split,
        study=ask.study,
    shell:
        "python -m cxrgrid.split {params.settings:q} --index {input.index} --files {input.files}"
        " --study {params.study}"
        " --out {output} > {log} 2>&1"


rule audit:
    """Audit images, patients and labels from raw file to split; stop if patients are in two splits."""
    input:
        index=rules.index.output.index,
        files="results/data/{dataset}/pixels.parquet",
        pixels="results/data/{dataset}/pixels.npy",
        table=rules.split.output.table,
    output:
        audit="<data>{fold}/audit.json",
        hashes="<data>{fold}/hashes.npy",
    log:
        "<data>{fold}/audit.log",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        leakage=ask.leakage,
    shell:
        "python -m cxrgrid.audit --index {input.index} --files {input.files}"
        " --pixels {input.pixels} --table {input.table} --out {output.audit}"
        " --hashes {output.hashes} {params.leakage} > {log} 2>&1"
