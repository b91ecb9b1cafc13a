-- The same database as marketing may see it, stored: written by hand from the rules, so that it is
-- an answer of its own and not one of the program's.
SET client_min_messages = warning;
DELETE FROM customers WHERE NOT consented;
UPDATE customers SET full_name = NULL, health_note = NULL, birth_date = date_trunc('year', birth_date)::date,
  email = left(email, 1);
UPDATE customers_archive SET archived_on = NULL;
DELETE FROM orders o WHERE NOT EXISTS (SELECT FROM consents k WHERE k.customer_id = o.customer_id AND k.granted);
DELETE FROM consents WHERE NOT granted;
DELETE FROM tickets WHERE NOT open;
UPDATE tickets SET secret = NULL;
DELETE FROM events WHERE NOT shown;
UPDATE "a_table_whose_name_has_exactly_sixty_three_bytes_in_total_12345" SET word = NULL;
UPDATE patients SET word = NULL, illness = NULL;
