#!/usr/bin/env bash
# Installs the package, writes sample data, trains the unet bundle on it, evaluates it and segments the test images.
# usage: bash scripts/quickstart.sh [OUTPUT]     (default: runs/quickstart)
set -euo pipefail
case "${1:-}" in -*) sed -n '2,3p' "$0"; exit 2 ;; esac
output=${1:-runs/quickstart}
EXTRAS=test . "$(dirname "$0")/environment.sh"

bundle=bundles/unet/configs
common=(--dataset_dir "$output/data" --output_dir "$output")
[ -d "$output/data" ] || cellseg data sample "$output/data"
python -m monai.bundle run training --config_file $bundle/train.json "${common[@]}" --epochs 8 --crops_per_image 2
python -m monai.bundle run evaluating --config_file $bundle/evaluate.json "${common[@]}"
python -m monai.bundle run segmenting --config_file $bundle/inference.json "${common[@]}"

cellseg report "$output" --output "$output/report.html"

echo
echo "scores        $output/evaluation/cellseg_summary.json; as a page: $output/report.html"
echo "labels        $output/segmentation/*.tif"
echo "overlays      $(ls "$output"/segmentation/*_overlay.png | head -n 1) and others next to it"
echo "TensorBoard   tensorboard --logdir $output/tensorboard"
