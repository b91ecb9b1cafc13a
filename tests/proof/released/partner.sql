-- What a third party in the United States may see for `marketing.partner`: nobody in `eu` and `ch`, and nothing of
-- those who said no to third parties (person % 4 = 0 again).
CREATE TABLE stage.elsewhere AS SELECT id FROM stage.people WHERE region NOT IN ('eu', 'ch');
DELETE FROM stage.people WHERE id NOT IN (TABLE stage.elsewhere);
DELETE FROM stage.orders WHERE person IS NULL OR person NOT IN (TABLE stage.elsewhere);
DELETE FROM stage.consents WHERE person NOT IN (TABLE stage.elsewhere);
DELETE FROM stage.visits WHERE person NOT IN (TABLE stage.elsewhere);
DELETE FROM stage.papers WHERE person NOT IN (TABLE stage.elsewhere);
DELETE FROM stage.papers_old WHERE person NOT IN (TABLE stage.elsewhere);
DROP TABLE stage.elsewhere;
\i released/marketing.sql
UPDATE stage.orders SET product = NULL, quantity = NULL;
UPDATE stage.consents SET purpose = NULL, status = NULL;
UPDATE stage.visits SET seconds = NULL;
