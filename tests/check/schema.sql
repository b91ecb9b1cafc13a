-- A small shop, as rules in this folder meet it: right, renamed, or otherwise than they think.
CREATE ROLE shop_app LOGIN;
CREATE ROLE newsletter LOGIN;
CREATE ROLE agency LOGIN;
CREATE ROLE boss LOGIN SUPERUSER;
CREATE SCHEMA shop;

CREATE TABLE shop.clients (
  client_id   integer PRIMARY KEY,
  full_name   text NOT NULL,
  email       varchar(80),
  born        date,
  region      text,
  tags        text[],
  joined_on   text
);
CREATE TABLE shop.orders (
  order_id    bigint PRIMARY KEY,
  client_id   integer REFERENCES shop.clients,
  total_cents integer,
  ordered_at  timestamptz
);
CREATE TABLE shop.invoices (
  invoice_no  text PRIMARY KEY,
  client_no   uuid,
  "Über-Text" text
);
CREATE TABLE shop.consents (
  client_id   integer,
  purpose     text,
  status      boolean,
  expires_at  text
);
CREATE TABLE shop.events (at timestamptz, client_id integer, what text) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2026 PARTITION OF shop.events DEFAULT;
CREATE MATERIALIZED VIEW shop.totals AS SELECT client_id, sum(total_cents) AS cents FROM shop.orders GROUP BY 1;

CREATE VIEW shop.mailing AS SELECT client_id, email FROM shop.clients;
CREATE FUNCTION shop.whole(integer) RETURNS SETOF shop.clients LANGUAGE sql STABLE AS
  'SELECT * FROM shop.clients WHERE client_id = $1';
CREATE FUNCTION shop.euros(cents integer) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT cents / 100 || '' EUR''';
CREATE FUNCTION shop.touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE VIEW shop.priced AS SELECT order_id, shop.euros(total_cents) AS total FROM shop.orders;
CREATE VIEW shop.above AS SELECT * FROM shop.priced;

GRANT USAGE ON SCHEMA shop TO shop_app, newsletter;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO shop_app;
GRANT SELECT (client_id, email) ON shop.clients TO newsletter;
