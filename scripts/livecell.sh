#!/usr/bin/env bash
# Prepares LIVECell, pretrains an encoder on it without labels, trains the bundle multihead_unet, and evaluates it by cell
# type. Run it in an environment in which cellseg_monai is installed. A run that was stopped continues where it stopped.
# usage: bash scripts/livecell.sh RAW OUTPUT [OPTION ...]
#   RAW     folder into which `cellseg data fetch livecell` downloaded the images and annotations
#   OPTION  settings of both trainings, such as --batch_size 32 --num_workers 8; by default those of the variant `paper`
set -euo pipefail
if [ $# -lt 2 ] || [[ $1 == -* ]]; then sed -n '2,6p' "$0"; exit 2; fi
mkdir -p "$2"
raw=$(realpath "$1") output=$(realpath "$2"); shift 2
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bundle=bundles/multihead_unet/configs
types="['A172','BT474','BV2','Huh7','MCF7','SHSY5Y','SkBr3','SKOV3']"
common=(--dataset_dir "$output/data" --output_dir "$output/trained")
paper="$bundle/variants/paper.json"

cellseg data prepare "$raw" --output "$output/data" --layout coco
python -m monai.bundle run pretraining --config_file "['$bundle/pretrain.json','$paper']" \
    --dataset_dir "$output/data" --output_dir "$output/pretrained" --resume True "$@"
python -m monai.bundle run training --config_file "['$bundle/train.json','$paper']" "${common[@]}" \
    --encoder_weights "$output/pretrained/encoder.safetensors" --resume True \
    --class_names "$types" --class_tag cell_type --image_classes "$types" --image_tag cell_type "$@"
python -m monai.bundle run calibrating --config_file $bundle/calibrate.json "${common[@]}"
python -m monai.bundle run evaluating --config_file $bundle/evaluate.json "${common[@]}"
cellseg report "$output/trained" --output "$output/report.html"

echo "scores   $output/trained/evaluation/cellseg_summary.json, also by cell type; as a page: $output/report.html"
echo "classes  $output/trained/evaluation/classes_summary.json"
