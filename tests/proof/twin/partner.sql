-- Differs from the raw database in what the partner may not see.
\i twin/marketing.sql
UPDATE stage.people SET code = 'POISON', name = NULL, weight = -5, score = 3, birth = NULL, mood = NULL WHERE id % 5 IN (0, 1, 4);
UPDATE stage.people SET region = CASE region WHEN 'eu' THEN 'ch' ELSE 'eu' END WHERE region IN ('eu', 'ch');
UPDATE stage.orders SET product = 1, quantity = 0;
UPDATE stage.orders SET code = 'POISON', amount = 0, paid = NULL WHERE person IS NULL OR person % 5 IN (0, 1, 4);
