-- Short words for common questions, over the views of `views.sql`: FROM photos_of('Anna').

-- Whether a text has one of several words or phrases, as whole words, whatever case and accents:
-- says_any(doing, ['holding', 'holds']).
CREATE OR REPLACE MACRO says_any(text, choices) AS
regexp_matches(strip_accents(text), '(?i)(?:^|[^\pL\pN])(?:'
    || array_to_string([regexp_escape(strip_accents(choice)) FOR choice IN choices], '|') || ')(?:$|[^\pL\pN])');

-- Whether a text has a word or phrase: says(wearing, 'red').
CREATE OR REPLACE MACRO says(text, words) AS says_any(text, [words]);

-- Kilometres between two points on earth, given in degrees.
CREATE OR REPLACE MACRO distance_km(latitude1, longitude1, latitude2, longitude2) AS
12742 * asin(sqrt(least(1, pow(sin(radians(latitude2 - latitude1) / 2), 2)
                  + cos(radians(latitude1)) * cos(radians(latitude2))
                  * pow(sin(radians(longitude2 - longitude1) / 2), 2))));

-- The photos that a person, pet or thing is in.
CREATE OR REPLACE MACRO photos_of(name) AS TABLE
FROM photos SEMI JOIN (FROM sightings WHERE lower(concept) = lower(name)) USING (photo_id);

-- The sightings in which someone wears something: wearing('Anna', 'red').
CREATE OR REPLACE MACRO wearing(name, what) AS TABLE
FROM sightings WHERE lower(concept) = lower(name) AND says(sightings.wearing, what);

-- The sightings in which someone does something: doing('Anna', 'waving').
CREATE OR REPLACE MACRO doing(name, what) AS TABLE
FROM sightings WHERE lower(concept) = lower(name) AND says(sightings.doing, what);

-- The photos that two are in: together('Anna', 'Ben').
CREATE OR REPLACE MACRO together(name, other) AS TABLE
FROM photos
SEMI JOIN (FROM sightings WHERE lower(concept) = lower(name)) AS one USING (photo_id)
SEMI JOIN (FROM sightings WHERE lower(concept) = lower(other)) AS two USING (photo_id);
