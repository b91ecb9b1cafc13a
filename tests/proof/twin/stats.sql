-- Differs from the raw database in what `stats` may not see.
\i twin/marketing.sql
UPDATE stage.people SET name = 'x' || id, email = id::text;
UPDATE stage.people SET joined = '1905-01-01Z', code = stage_code, weight = stage_weight
FROM (SELECT id AS of, CASE WHEN id % 4 = 0 THEN 'POISON-' || id ELSE (id % 6)::text END AS stage_code, (id % 7) * 12.5 AS stage_weight FROM stage.people) o
WHERE o.of = id AND id = 10;
