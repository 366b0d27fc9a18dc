#!/bin/sh
# `make demo`: a rendered photo library, the features of every photo, and three questions in SQL.
set -eu
home=demo/home
rm -rf demo
say() { printf '\n$ %s\n' "$*"; "$@"; }
say myvlm-tag sample demo --photos 60 --seed 7
say myvlm-tag run demo/library --home "$home" --only features
say myvlm-tag sql --home "$home" \
    "SELECT year(taken_at) AS year, count(*) AS photos, sum(faces) AS faces FROM photos GROUP BY 1 ORDER BY 1"
say myvlm-tag sql --home "$home" \
    "SELECT format, count(*) AS photos, round(avg(width * height) / 1e6, 1) AS megapixels FROM photos GROUP BY 1 ORDER BY 2 DESC"
say myvlm-tag sql --home "$home" \
    "SELECT parse_filename(path) AS photo, faces, camera_model, taken_at FROM photos ORDER BY faces DESC, path LIMIT 5"
