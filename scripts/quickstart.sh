#!/usr/bin/env bash
# Installs the package, segments generated images with the shipped weights, and scores the result.
# Then trains the unet bundle on generated images of its own, evaluates it, and segments the test images with it.
# usage: bash scripts/quickstart.sh [OUTPUT]     (default: runs/quickstart)
set -euo pipefail
case "${1:-}" in -*) sed -n '2,4p' "$0"; exit 2 ;; esac
output=${1:-runs/quickstart}
EXTRAS=test . "$(dirname "$0")/environment.sh"

# 1. Segment, with the weights that ship with the package.
images=$output/data/images
segmented=$output/segmented
[ -d "$output/data" ] || cellseg data sample "$output/data"
resume=
if [ -e "$segmented" ]; then resume=--resume; fi
cellseg segment "$images" --output "$segmented" --report $resume
cellseg report --images "$images" --truth "$output/data/labels" --pred "$segmented" \
    --output "$output/segmented.html"

# 2. Train a bundle, evaluate it, and segment the test images with it.
training=$output/training
bundle=bundles/unet/configs
common=(--dataset_dir "$output/data" --output_dir "$training")
python -m monai.bundle run training --config_file $bundle/train.json "${common[@]}" --epochs 8 --crops_per_image 2
python -m monai.bundle run evaluating --config_file $bundle/evaluate.json "${common[@]}"
python -m monai.bundle run segmenting --config_file $bundle/inference.json "${common[@]}"
cellseg report "$training" --output "$training/report.html"

cat <<END

Segmented with the shipped weights:
  labels       $segmented/*.tif
  quality      $segmented/report.html
  scores       $output/segmented.html

The trained bundle:
  scores       $training/evaluation/cellseg_summary.json; as a page: $training/report.html
  labels       $training/segmentation/*.tif
  TensorBoard  tensorboard --logdir $training/tensorboard
END
say_activation
