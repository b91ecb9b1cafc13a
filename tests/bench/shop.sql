CREATE TABLE customers (id int PRIMARY KEY, name text, email text, country text, illness text, since date, extra text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, note text);
CREATE VIEW who AS SELECT c.name, o.note FROM customers c JOIN orders o ON o.customer_id = c.id;
DO $$ BEGIN EXECUTE 'CREATE TABLE hidden_from_view (a int)'; END $$;
CREATE VIEW odd AS SELECT pg_read_file('x');
