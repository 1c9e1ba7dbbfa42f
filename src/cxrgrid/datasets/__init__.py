"""Adapters: each module here reads one real on-disk layout, and may write a phantom in it.

To add a dataset, add `<name>.py` with these constants, written literally (the config reads them
without importing the module):

- `TASK`: "multilabel" or "multiclass"; `LABELS`: the labels in their canonical order, empty if
  they are known only once the data is read; `SPLITS`: names of the split lists that it ships
- `VALIDATED` (may be left out): those of the lists that have a validation part of their own
- `ORIGIN`: where the images are from, for the report; empty where only their owner knows
- `SOURCE`: one sentence on how the data is obtained, which ends with what to set
- `TERMS`: the terms of use; `CREDENTIALED`: whether no pixel of it may be redistributed
- `PATIENTS` (may be left out): another adapter with which it shares its patients' numbers
- `EXTRA` (may be left out): more columns of the table that a study may name as labels
- `BLANK` (may be left out): what a blank label means by `blank: auto`, "absent" or "ignore" (this)
- `PUBLISHED`, if its counts are published: {"images", "patients", "labels": {label: positives}},
  any of these; the audit compares
- `PHANTOM`: the cohort that `cxrgrid.phantom` draws for it, {} where it has none: either
  `classes` {label: [share, [what is drawn]]} that exclude each other, or `findings`
  {label: share of images}, with `drawn` {label: [what is drawn]} for a label that is not itself
  in `cxrgrid.anatomy.DRAWN`; and `ages` [low, high], `views` {view: share}, `images` per patient

and these functions:

- `read(root, settings) -> DataFrame`: one row per image, sorted by `image`. Columns: `image` (path
  below root), `patient`, `study`, `view`, `sex` (M, F or None), `age` (years, NaN unknown), for a
  collection `source` (where an image is from),
  `split:<name>` for each shipped list that is found (train, trainval, val, test or None), and one
  float column a label: 1, 0, -1 (uncertain) or NaN (blank); `index` says what the last two mean.
  `attrs["notes"]`: sentences for the report; `attrs["accounting"]`: [{step, images, patients}]
  from the raw rows to the returned ones.
  `UserError` if the layout is not there.
- `check(root, settings) -> list[Path]` (may be left out): for layouts whose columns, labels or
  classes a study names: `UserError` if one is not there, without reading an image; else the tables
  and folders that it looked at. A plan calls it, once for each size and time of these.
- `recognise(root) -> bool`: whether the folder is laid out like this, from a few names in it: no
  walk through all files, no error. True for no other adapter's layout.
- `write(root, cohort, draw)`: the phantom cohort in this layout. A row of `cohort` has `patient`
  (from 1), `study` (from 0 in the patient), `view`, `sex`, `age` (whole years), `labels` (those
  that are present), `findings` (what is drawn: also lines and wires, `Devices`) and `split`
  (train, val or test); `draw(row)` is its image, uint8 [H, W].
"""
