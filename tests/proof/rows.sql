-- The rows of the raw database, in a schema `stage` with one table for each, ordered by `at`. Released and other
-- databases change what stands in `stage`; finish.sql then stores it. Rows with id % 4 = 0 of people and what belongs
-- to them are those that most purposes may not see: their texts break whatever touches them.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA stage;
CREATE TABLE stage.people AS SELECT
  i AS id, (ARRAY['Ada','Bo','Chi','Dana','Emil','Farah'])[1 + i % 6] || ' ' || (ARRAY['Berg','Okafor','Kim','Stone'])[1 + i % 4] AS name,
  CASE WHEN i % 11 = 0 THEN 'no address' ELSE 'user' || i % 9 || '@mail' || i % 3 || '.example' END AS email,
  ('+4' || i % 10 || ' 70 555 0' || 100 + i)::varchar(20) AS phone,
  CASE WHEN i % 13 = 0 THEN NULL WHEN i % 8 = 4 THEN date '2020-01-31' + i * 17 ELSE date '1950-02-03' + i * 777 END AS birth,
  CASE WHEN i % 3 = 0 THEN NULL ELSE (ARRAY['asthma','allergy','none'])[1 + i % 3] END AS health,
  (ARRAY['eu','ch','uk','us','eu'])[1 + i % 5] AS region,
  CASE WHEN i % 2 = 0 THEN md5('d' || i)::uuid END AS device,
  (ARRAY['10.1.2.3/24','192.168.7.9','2001:db8:1:2::5','10.1.9.200/8'])[1 + i % 4]::inet AS address,
  CASE WHEN i % 10 = 0 THEN timestamptz '1905-01-01Z' ELSE timestamptz '2022-03-01 12:00Z' + i * interval '37 days 5 hours' END AS joined,
  (i * 37.25)::numeric(10,2) AS score, (i % 7) * 12.5::float8 AS weight,
  (ARRAY['calm','cross','glad',NULL])[1 + i % 4]::mood AS mood,
  CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '{a,b}' WHEN 2 THEN '{b,NULL}' ELSE '{}' END::text[] AS tags,
  CASE i % 5 WHEN 0 THEN NULL ELSE ARRAY[i, i % 3, 0] END AS marks,
  CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN '[1, "x"]' ELSE jsonb_build_object('n', i, 'open', jsonb_build_object('k', 'v' || i % 2), 'secret', 's' || i) END AS props,
  CASE i % 3 WHEN 0 THEN NULL ELSE json_build_object('a', i, 'b', 'x') END AS doc,
  decode(lpad(to_hex(i), 4, '0'), 'hex') AS photo, i % 3 <> 1 AS active, i * interval '90 minutes' AS wake,
  timestamp '2025-01-01 08:30' + i * interval '11 hours' AS seen, i * 100000000000 AS points,
  CASE WHEN i % 4 = 0 THEN 'POISON-' || i ELSE (i % 6)::text END AS code, i::numeric AS at
FROM generate_series(1, 24) i;
CREATE TABLE stage.consents AS SELECT
  i AS id, 1 + i % 24 AS person, (ARRAY['marketing','third_party','research','care','stats'])[1 + i / 24] AS purpose,
  CASE WHEN (1 + i % 24) % 4 = 0 THEN (ARRAY['refused','withdrawn'])[1 + i % 2] WHEN i % 3 = 0 THEN 'asked' ELSE 'given' END AS status,
  timestamptz '2023-01-01Z' + i * interval '3 days' AS recorded, NULL::timestamptz AS expires, i::numeric AS at
FROM generate_series(0, 119) i;
CREATE TABLE stage.orders AS SELECT
  i AS id, CASE WHEN i % 9 = 0 THEN NULL ELSE 1 + i * 5 % 24 END AS person, 1 + i % 6 AS product, (i * 3.5)::numeric(10,2) AS amount,
  i % 4 AS quantity, timestamptz '2024-05-01 09:15Z' + i * interval '9 days 1 hour' AS placed,
  CASE WHEN i % 5 = 0 THEN NULL ELSE 'memo ' || i % 3 END AS memo, i % 2 = 0 AS paid, (i % 5) * 0.5::float8 AS rate,
  CASE WHEN (1 + i * 5 % 24) % 4 = 0 THEN 'POISON-O' ELSE (i % 4)::text END AS code, i::numeric AS at
FROM generate_series(1, 30) i;
CREATE TABLE stage.products AS SELECT
  i AS id, (ARRAY['line','desk','chat','voice','seat','case'])[i] AS name, (i * 9.99)::numeric(10,2) AS price, i * 1.5::float8 AS weight,
  CASE WHEN i % 2 = 0 THEN ARRAY['a', 'new'] END AS tags, date '2020-01-01' + i * 100 AS since,
  CASE WHEN i % 3 = 0 THEN '{"k": [1, 2]}' ELSE '{"k": null}' END::jsonb AS spec,
  (ARRAY['calm','cross','glad'])[1 + i % 3]::mood AS mood, i::numeric AS at
FROM generate_series(1, 6) i;
CREATE TABLE stage.notes AS SELECT
  i AS id, 1 + i % 6 AS product, 'note ' || i AS body, timestamp '2025-02-03 04:05' + i * interval '5 hours' AS made,
  jsonb_build_object('read', i % 2 = 0) AS flags, (i * 1.25)::numeric(10,2) AS score, i % 2 = 0 AS done, i::numeric AS at
FROM generate_series(1, 8) i;
CREATE TABLE stage.staff AS SELECT
  i AS id, (ARRAY['Ines','Jonas','Keiko','Liam','Marta'])[i] AS name, 'staff' || i || '@care.example' AS email,
  (ARRAY['north','south'])[1 + i % 2] AS team, CASE WHEN i > 1 THEN i / 2 END AS boss, date '2019-06-01' + i * 300 AS since,
  CASE WHEN i = 4 THEN 'POISON-S' ELSE i::text END AS code, i::numeric AS at
FROM generate_series(1, 5) i;
CREATE TABLE stage.visits AS SELECT
  i AS id, 1 + i * 7 % 24 AS person, 1 + i % 5 AS staff, date '2024-11-01' + i * 5 AS day, (ARRAY['calm','cross','glad'])[1 + i % 3]::mood AS channel,
  (i * 13 % 90)::bigint AS seconds, CASE WHEN i % 4 = 0 THEN NULL ELSE 'said ' || i % 5 END AS note,
  CASE WHEN (1 + i * 7 % 24) % 4 = 0 THEN 'POISON-V' ELSE (i % 3)::text END AS code,
  (ARRAY['10.1.2.3/24','192.168.7.9'])[1 + i % 2]::inet AS ip, i::numeric AS at
FROM generate_series(1, 26) i;
CREATE TABLE stage.papers AS SELECT
  i AS id, 1 + i * 3 % 24 AS person, 'title ' || i % 4 AS title, CASE WHEN (1 + i * 3 % 24) % 4 = 0 THEN 'POISON-W' ELSE (i * 10)::text END AS word, i * 5 AS size, i::numeric AS at
FROM generate_series(1, 8) i;
CREATE TABLE stage.papers_old AS SELECT
  100 + i AS id, 1 + i * 6 % 24 AS person, 'old ' || i AS title, CASE WHEN i = 2 THEN 'POISON-X' ELSE '7' END AS word, i AS size, 'shelf ' || i AS shelf, i::numeric AS at
FROM generate_series(1, 4) i;
