-- The views that `sql`, `status` and the planner share. {segments} is the folder of committed segments.
-- Rows are never changed in place: for each key the row of the latest run counts.

CREATE OR REPLACE VIEW all_files AS
FROM read_parquet('{segments}/*/files.parquet', union_by_name = true);

CREATE OR REPLACE VIEW current_files AS
FROM all_files
QUALIFY row_number() OVER (PARTITION BY path ORDER BY run_id DESC) = 1 AND NOT gone;

-- One row per path that is there.
CREATE OR REPLACE VIEW files AS
SELECT path, photo_id, size, make_timestamp(mtime_ns // 1000) AS modified_at, root, run_id
FROM current_files
WHERE size IS NOT NULL;

-- The stages each photo in the library went through, by what.
CREATE OR REPLACE VIEW features AS
SELECT stage, photo_id, made_by, max(run_id) AS run_id, arg_max(items, run_id) AS items
FROM read_parquet('{segments}/*/features.parquet', union_by_name = true)
GROUP BY ALL;

CREATE OR REPLACE VIEW all_detections AS
FROM read_parquet('{segments}/*/detections.parquet', union_by_name = true);

-- What the person said last of each photo and concept.
CREATE OR REPLACE VIEW decisions AS
SELECT photo_id, concept, verdict, face, made_by, decided_at, decision_id
FROM read_parquet('{decisions}/*.parquet', union_by_name = true)
WHERE concept IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY photo_id, concept ORDER BY decision_id DESC) = 1;

-- Faces that are nobody who matters, says the person.
CREATE OR REPLACE VIEW ignored AS
SELECT DISTINCT photo_id, face, made_by
FROM read_parquet('{decisions}/*.parquet', union_by_name = true)
WHERE verdict = 'ignore';

-- One row per photo and concept; `hit` says whether it is in the photo: the person's word, else the head's.
CREATE OR REPLACE VIEW detections AS
SELECT detection.* REPLACE (coalesce(verdict = 'confirm', hit) AS hit), verdict
FROM (FROM all_detections
      QUALIFY row_number() OVER (PARTITION BY photo_id, concept ORDER BY run_id DESC) = 1) AS detection
LEFT JOIN (SELECT photo_id, concept, verdict FROM decisions) USING (photo_id, concept)
SEMI JOIN files USING (photo_id);

-- Who is in which photo, by which version of the concept; a head made anew makes no other concept of it.
CREATE OR REPLACE VIEW hits AS
SELECT photo_id, concept, face, split_part(made_by, ' head ', 1) AS version
FROM detections
WHERE hit;

-- The second part has no rows: it names columns that captions of an earlier version lack.
CREATE OR REPLACE VIEW all_captions AS
FROM read_parquet('{segments}/*/captions.parquet', union_by_name = true)
UNION ALL BY NAME SELECT NULL::SMALLINT[] AS looked_at, NULL::VARCHAR AS numbered_by WHERE false;

-- One row per photo and vision-language model that told it, as long as all whom its caption speaks of are
-- still found in it.
CREATE OR REPLACE VIEW vlm_captions AS
SELECT photo_id, split_part(made_by, ' ', 1) AS vlm, caption, concepts, prompt, made_by, settings, versions,
       looked_at, numbered_by, turn, run_id
FROM all_captions
JOIN (SELECT photo_id, list(version) AS found FROM hits GROUP BY photo_id) USING (photo_id)
WHERE list_has_all(found, versions)
QUALIFY row_number() OVER (PARTITION BY photo_id, vlm ORDER BY run_id DESC) = 1;

-- One row per photo that was told: of several models' captions that of the model which was asked first.
CREATE OR REPLACE VIEW captions AS
SELECT photo_id, caption, concepts, prompt, vlm, made_by, settings, versions, run_id
FROM vlm_captions
QUALIFY row_number() OVER (PARTITION BY photo_id ORDER BY turn NULLS FIRST, run_id DESC, vlm) = 1;

-- What captions say, one row per part about one of those in the photo: "Anna wearing a red dress".
CREATE OR REPLACE VIEW caption_parts AS
SELECT photo_id, unnest(string_split_regex(caption, ', | and ')) AS part
FROM captions;

CREATE OR REPLACE VIEW all_answers AS
FROM read_parquet('{segments}/*/answers.parquet', union_by_name = true);

-- One row per photo, concept, topic and vision-language model, as long as the concept is still found in the
-- photo.
CREATE OR REPLACE VIEW vlm_answers AS
SELECT photo_id, split_part(told.made_by, ' ', 1) AS vlm, concept, topic,
       replace(question, '{}', concept) AS question, answer, prompt, told.made_by, settings, turn, run_id
FROM all_answers AS told SEMI JOIN hits
  ON hits.photo_id = told.photo_id AND hits.concept = told.concept
 AND hits.version = told.versions[list_position(told.concepts, told.concept)]
QUALIFY row_number() OVER (PARTITION BY photo_id, concept, topic, vlm ORDER BY run_id DESC) = 1;

-- One row per photo, concept and topic: of several models' answers that of the model which was asked first.
CREATE OR REPLACE VIEW answers AS
SELECT photo_id, concept, topic, question, answer, prompt, vlm, made_by, settings, run_id
FROM vlm_answers
QUALIFY row_number() OVER (PARTITION BY photo_id, concept, topic
                           ORDER BY turn NULLS FIRST, run_id DESC, vlm) = 1;

CREATE OR REPLACE VIEW all_boxes AS
FROM read_parquet('{segments}/*/boxes.parquet', union_by_name = true);

-- One row per photo and concept that a model could point at, as long as it is still found in the photo: of
-- several models' boxes the newest, for in each run one model alone is asked.
CREATE OR REPLACE VIEW boxes AS
FROM (
    SELECT photo_id, concept, x0, y0, x1, y1, prompt, split_part(told.made_by, ' ', 1) AS vlm, told.made_by,
           settings, run_id
    FROM all_boxes AS told SEMI JOIN hits
      ON hits.photo_id = told.photo_id AND hits.concept = told.concept
     AND hits.version = told.versions[list_position(told.concepts, told.concept)]
    QUALIFY row_number() OVER (PARTITION BY photo_id, concept ORDER BY run_id DESC) = 1
)
WHERE x0 IS NOT NULL;

CREATE OR REPLACE VIEW all_failures AS
FROM read_parquet('{segments}/*/failures.parquet', union_by_name = true);

CREATE OR REPLACE VIEW latest_failures AS
FROM all_failures
QUALIFY row_number() OVER (PARTITION BY coalesce(photo_id, path) ORDER BY run_id DESC) = 1;

-- The stages that each photo went through without failing.
CREATE OR REPLACE VIEW finished AS
SELECT photo_id, stage, run_id, NULL AS vlm FROM features
UNION ALL
SELECT photo_id, 'tell', run_id, split_part(made_by, ' ', 1) FROM all_captions;

-- One row per file that is there and could not be done, and why.
CREATE OR REPLACE VIEW failures AS
SELECT files.path, photo_id, failure.stage, failure.kind, failure.reason, failure.made_by, failure.run_id
FROM latest_failures AS failure JOIN files USING (photo_id)
WHERE NOT EXISTS (FROM finished
                  WHERE finished.photo_id = failure.photo_id AND finished.run_id >= failure.run_id
                    AND failure.stage IN (finished.stage, 'worker')
                    AND coalesce(finished.vlm = split_part(failure.made_by, ' ', 1), true))
UNION ALL
SELECT files.path, NULL, failure.stage, failure.kind, failure.reason, failure.made_by, failure.run_id
FROM latest_failures AS failure JOIN current_files AS files USING (path)
WHERE failure.photo_id IS NULL AND files.photo_id IS NULL;

-- One row per stage and model. While a new model works its way through the library, the old one's rows go on
-- answering: `current` is the one that covers most photos (bad ones aside), of equals the newest.
CREATE OR REPLACE VIEW models AS
SELECT stage, made_by, count(*) AS photos, max(run_id) AS run_id,
       row_number() OVER (PARTITION BY stage ORDER BY count(*) DESC, max(run_id) DESC) = 1 AS current
FROM features SEMI JOIN files USING (photo_id) ANTI JOIN failures USING (photo_id)
GROUP BY stage, made_by;

-- Which model's row counts for each photo and stage: the current one's, else the newest.
CREATE OR REPLACE VIEW chosen AS
SELECT stage, photo_id, made_by, items
FROM features LEFT JOIN models USING (stage, made_by)
QUALIFY row_number() OVER (
    PARTITION BY stage, photo_id ORDER BY coalesce(current, false) DESC, features.run_id DESC
) = 1;

-- One row per photo; `path` is one of its files (the first by name), `copies` how many there are.
CREATE OR REPLACE VIEW photos AS
SELECT photo_id, path, copies, faces, photo.* EXCLUDE (photo_id, made_by, run_id), photo.made_by, photo.run_id
FROM (FROM read_parquet('{segments}/*/photos.parquet', union_by_name = true)
      QUALIFY row_number() OVER (PARTITION BY photo_id ORDER BY run_id DESC) = 1) AS photo
JOIN (SELECT photo_id, min(path) AS path, count(*) AS copies FROM files GROUP BY photo_id) USING (photo_id)
LEFT JOIN (SELECT photo_id, items AS faces FROM chosen WHERE stage = 'faces') USING (photo_id);

CREATE OR REPLACE VIEW all_faces AS
FROM read_parquet('{segments}/*/faces.parquet', union_by_name = true);

-- One row per face.
CREATE OR REPLACE VIEW faces AS
SELECT face.*
FROM (FROM all_faces
      QUALIFY row_number() OVER (PARTITION BY photo_id, face, made_by ORDER BY run_id DESC) = 1) AS face
SEMI JOIN (FROM chosen WHERE stage = 'faces') USING (photo_id, made_by)
SEMI JOIN files USING (photo_id);

CREATE OR REPLACE VIEW all_clip AS
FROM read_parquet('{segments}/*/clip.parquet', union_by_name = true);

-- One row per photo; the embedding is float16, L2-normalised.
CREATE OR REPLACE VIEW clip AS
SELECT clip.*
FROM (FROM all_clip
      QUALIFY row_number() OVER (PARTITION BY photo_id, made_by ORDER BY run_id DESC) = 1) AS clip
SEMI JOIN (FROM chosen WHERE stage = 'clip') USING (photo_id, made_by)
SEMI JOIN files USING (photo_id);

-- Who and what is seen where: one row per photo and concept that is in it, the model's answers as columns. The
-- box is the face, of things where the vision-language model points; `position` goes by the face where there is
-- one, since that is measured, else by the answer. A head knows faces by their number, which holds for one faces
-- model: of a concept that wasn't learnt with the one in use, the face is null.
CREATE OR REPLACE VIEW sightings AS
SELECT photo_id, photos.path, photos.taken_at, concept,
       if(contains(detection.made_by, ' on faces '), 'person', 'object') AS kind,
       detection.score, coalesce(verdict = 'confirm', false) AS confirmed, faces.face,
       coalesce(faces.x0, boxes.x0) AS x0, coalesce(faces.y0, boxes.y0) AS y0,
       coalesce(faces.x1, boxes.x1) AS x1, coalesce(faces.y1, boxes.y1) AS y1,
       wearing, color, doing,
       CASE WHEN faces.x0 IS NULL THEN position
            WHEN faces.x0 + faces.x1 < 2 * 0.365 * photos.width THEN 'on the left'
            WHEN faces.x0 + faces.x1 > 2 * 0.635 * photos.width THEN 'on the right'
            ELSE 'in the middle' END AS position,
       next_to
FROM (FROM detections WHERE hit) AS detection
JOIN (SELECT photo_id, path, taken_at, width FROM photos) AS photos USING (photo_id)
LEFT JOIN (SELECT photo_id AS of_photo, face, made_by AS numbered_by, x0, y0, x1, y1 FROM faces) AS faces
  ON of_photo = photo_id AND faces.face = detection.face AND ends_with(detection.made_by, numbered_by)
LEFT JOIN (SELECT photo_id, concept, x0, y0, x1, y1 FROM boxes) AS boxes USING (photo_id, concept)
LEFT JOIN (SELECT photo_id, concept,
                  any_value(answer) FILTER (topic = 'wearing') AS wearing,
                  any_value(answer) FILTER (topic = 'color') AS color,
                  any_value(answer) FILTER (topic = 'doing') AS doing,
                  any_value(answer) FILTER (topic = 'where') AS position,
                  any_value(answer) FILTER (topic = 'next_to') AS next_to
           FROM answers GROUP BY photo_id, concept) AS told USING (photo_id, concept);

CREATE OR REPLACE VIEW people AS FROM sightings WHERE kind = 'person';

CREATE OR REPLACE VIEW things AS FROM sightings WHERE kind = 'object';

-- What each run did.
CREATE OR REPLACE VIEW runs AS
SELECT run_id, roots, models, files, new, changed, gone, todo, done, failed, seconds, ended
FROM {runs};
