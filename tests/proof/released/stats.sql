-- What `stats` may count over: as marketing, but addresses and names are not released, and nobody is too old.
DELETE FROM stage.people WHERE id IN (4, 12, 20);
UPDATE stage.people SET health = NULL, device = NULL, photo = NULL, points = NULL, phone = NULL, address = NULL, props = NULL, doc = NULL,
  name = NULL,
  email = NULL,
  birth = CASE WHEN id % 4 <> 0 THEN make_date(extract(year FROM birth)::int / 10 * 10, 1, 1) END,
  score = CASE WHEN id % 4 <> 0 THEN score END;
DELETE FROM stage.orders WHERE person % 4 = 0;
UPDATE stage.orders SET memo = NULL;
DELETE FROM stage.consents WHERE person IN (4, 12, 20);
UPDATE stage.consents SET person = NULL, purpose = NULL, status = NULL WHERE person % 4 = 0;
UPDATE stage.staff SET name = NULL, email = NULL, boss = NULL;
DELETE FROM stage.visits WHERE person IN (4, 12, 20);
UPDATE stage.visits SET staff = NULL, note = NULL, ip = NULL;
UPDATE stage.visits SET person = NULL, seconds = NULL WHERE person % 4 = 0;
DELETE FROM stage.papers WHERE person IN (4, 12, 20);
UPDATE stage.papers SET title = NULL, person = CASE WHEN person % 4 <> 0 THEN person END;
DELETE FROM stage.papers_old WHERE person IN (4, 12, 20);
UPDATE stage.papers_old SET title = NULL, shelf = NULL, person = CASE WHEN person % 4 <> 0 THEN person END;
