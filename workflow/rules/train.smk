# TRAIN: one job per cell; the only rules that want a GPU.
#
# needs  a dataset's table.parquet and its pixels; the weights that the cell starts from
# makes  results/{study}/cells/{dataset}/{backbone}/{init}/{recipe}{fold}/seed{seed}/, and in its
#        transfer/{target}.parquet what the cell says of other datasets, in its shift/ what it says
#        of changed images, in its explain/ where it looks
#        pools/{datasets}.parquet: images of pooled datasets that are like held-out images
# cost   the grid. An interrupted training resumes there when it is run again


localrules:
    weights,


rule weights:
    """Fetch a backbone's published weights; the jobs that use them then need no network."""
    output:
        "results/weights/{backbone}.safetensors",
    log:
        "results/weights/{backbone}.weights.log",
    conda:
        "../../envs/cxrgrid.yaml"
    shell:
        "python -m cxrgrid.weights {wildcards.backbone} --out {output} > {log} 2>&1"


rule pool:
    """Find images of pooled datasets that are like a held-out image: no cell trains on them."""
    input:
        tables=ask.pool_tables,
        hashes=ask.pool_hashes,
    output:
        pool="<study>/pools/{pool}{fold}.parquet",
    log:
        "<study>/pools/{pool}{fold}.pool.log",
    wildcard_constraints:
        pool="[^/]+",
    conda:
        "../../envs/cxrgrid.yaml"
    params:
        folders=ask.pool_folders,
        study=ask.study,
    shell:
        "python -m cxrgrid.pool {params.folders} --out {output.pool}"
        " --study {params.study}"
        " > {log} 2>&1"


rule train:
    """Train one cell, then predict its own validation and test images."""
    input:
        # tables, pixels, weights, pool: in one call, since calls are what a plan of many cells costs.
        unpack(ask.training),
        # Order only: the audit comes first, but a better audit retrains nothing.
        audit=ancient("results/data/{dataset}{fold}/audit.json"),
        beside=stored.training,
    output:
        cell="<cell>/cell.json",
        model="<cell>/model.safetensors",
        history="<cell>/history.parquet",
        val="<cell>/predictions/val.parquet",
        test="<cell>/predictions/{dataset}.parquet",
    log:
        "<cell>/train.log",
    benchmark:
        "<cell>/train.jsonl"
    conda:
        "../../envs/cxrgrid.yaml"
    resources:
        gpu=1,
        device="auto",
        cells_per_gpu=1,
        mem_mb=needs.memory,
        runtime=needs.runtime,
    params:
        cell=ask.cell,
        data=ask.data,
        out=subpath(output.model, parent=True),
    shell:
        "python -m cxrgrid.train {params.cell:q} --data {params.data} --out {params.out}"
        " --threads {threads} --device {resources.device}"
        " --cells-per-gpu {resources.cells_per_gpu} > {log} 2>&1"


rule predict:
    """Predict another dataset's test images with a trained cell, for the labels that both have."""
    input:
        cell=rules.train.output.cell,
        model=rules.train.output.model,
        val=rules.train.output.val,
        table="results/data/{target}/table.parquet",
        pixels=ask.pixels,
        beside=stored.asked,
    output:
        predictions="<cell>/transfer/{target}.parquet",
    log:
        "<cell>/transfer/{target}.predict.log",
    conda:
        "../../envs/cxrgrid.yaml"
    resources:
        gpu=1,
        device="auto",
        cells_per_gpu=1,
        mem_mb=needs.memory,
        runtime=needs.runtime,
    params:
        cell=subpath(input.cell, parent=True),
        data=subpath(input.table, parent=True),
        same=ask.same,
    shell:
        "python -m cxrgrid.predict {params.cell} --data {params.data} --out {output} {params.same}"
        " --threads {threads} --device {resources.device}"
        " --cells-per-gpu {resources.cells_per_gpu} > {log} 2>&1"


rule shift:
    """Predict a cell's test images under changes, and how far images are from its training."""
    input:
        unpack(ask.training),
        cell=rules.train.output.cell,
        model=rules.train.output.model,
        test=rules.train.output.test,
        others=shifted.others,
        beside=stored.shifting,
    output:
        # Written last; the predictions beside it are named in a storage alone: else they outlast a
        # rerun, which makes what is missing or of another network.
        distances="<cell>/shift/distances.parquet",
        predictions=expand("<cell>/shift/{name}", name=shifted.answers()),
    log:
        "<cell>/shift/shift.log",
    conda:
        "../../envs/cxrgrid.yaml"
    resources:
        gpu=1,
        device="auto",
        cells_per_gpu=1,
        mem_mb=needs.memory,
        runtime=needs.runtime,
    params:
        cell=subpath(input.cell, parent=True),
        data=ask.data,
        flags=shifted.flags,
        out=subpath(output.distances, parent=True),
    shell:
        "python -m cxrgrid.shift {params.cell} --data {params.data} {params.flags}"
        " --out {params.out} --threads {threads} --device {resources.device}"
        " --cells-per-gpu {resources.cells_per_gpu} > {log} 2>&1"


rule explain:
    """Make Grad-CAM galleries, the pointing game and an embedding of a cell's test images."""
    input:
        cell=rules.train.output.cell,
        model=rules.train.output.model,
        val=rules.train.output.val,
        test=rules.train.output.test,
        table=rules.split.output.table,
        pixels=ask.pixels,
        beside=stored.asked,
    output:
        gallery="<cell>/explain/gallery.parquet",
        pointing="<cell>/explain/pointing.parquet",
        embedding="<cell>/explain/embedding.parquet",
    log:
        "<cell>/explain/explain.log",
    conda:
        "../../envs/cxrgrid.yaml"
    resources:
        gpu=1,
        device="auto",
        cells_per_gpu=1,
        mem_mb=needs.memory,
        runtime=needs.runtime,
    params:
        cell=subpath(input.cell, parent=True),
        data=subpath(input.table, parent=True),
        flags=explained.flags,
        out=subpath(output.gallery, parent=True),
    shell:
        "python -m cxrgrid.explain {params.cell} --data {params.data} {params.flags}"
        " --out {params.out} --threads {threads} --device {resources.device}"
        " --cells-per-gpu {resources.cells_per_gpu} > {log} 2>&1"
