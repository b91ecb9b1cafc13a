-- What service_improvement may count of, in plain SQL: nobody under 13, nobody who said no. The keys stay, so that
-- people can be counted. And views of the schema's owner, which are read through.
CREATE SCHEMA counted;
CREATE VIEW counted.customers AS
  SELECT customer_id, region, language, created_at, date_trunc('decade', birth_date)::date AS birth_date
  FROM care.customers WHERE birth_date IS NULL OR birth_date <= timezone('UTC', now())::date - interval '13 years';
CREATE VIEW counted.orders AS
  SELECT o.* FROM care.orders o JOIN counted.customers USING (customer_id)
  WHERE NOT EXISTS (SELECT FROM care.consents c WHERE c.customer_id = o.customer_id AND c.purpose = 'service_improvement'
                    AND c.status IN ('refused', 'withdrawn'));
CREATE VIEW counted.interactions AS SELECT i.* FROM care.interactions i JOIN counted.customers USING (customer_id);
CREATE VIEW care.sales AS
  SELECT o.order_id, o.customer_id, p.name AS product, c.region, o.amount_cents, o.ordered_at
  FROM care.orders o JOIN care.products p USING (product_id) JOIN care.customers c ON c.customer_id = o.customer_id;
CREATE VIEW care.sales_by_region AS SELECT region, count(*) AS orders, sum(amount_cents) AS cents FROM care.sales GROUP BY region;
CREATE VIEW care.months AS SELECT date_trunc('month', ordered_at) AS month, amount_cents FROM care.sales WHERE region = 'ch';
GRANT SELECT ON care.sales, care.sales_by_region, care.months TO analytics;
