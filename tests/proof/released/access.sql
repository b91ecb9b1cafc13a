-- What person 5 may see.
DELETE FROM stage.people WHERE id <> 5;
UPDATE stage.people SET points = NULL;
DELETE FROM stage.orders WHERE person IS DISTINCT FROM 5;
DELETE FROM stage.consents WHERE person <> 5;
UPDATE stage.staff SET name = NULL, email = NULL, boss = NULL;
DELETE FROM stage.visits WHERE person <> 5;
UPDATE stage.visits SET staff = NULL;
DELETE FROM stage.papers WHERE person <> 5;
DELETE FROM stage.papers_old WHERE person <> 5;
UPDATE stage.papers_old SET shelf = NULL;
