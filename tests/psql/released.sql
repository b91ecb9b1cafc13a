-- The released relation of every table for every role and purpose of rules/customer-care.yaml, written in plain SQL over
-- what is stored. Played by released.py, which holds SELECT * through the proxy against it, row by row.
--
-- -- relation: TABLE | for: ROLE PURPOSE, ROLE PURPOSE...     then the SQL. {purposes} stands for the purpose and its
-- ancestors, {person} for the person that a one-person purpose is about. `refused: CODE` instead of SQL. `through: LIST` is
-- what is selected through the proxy, where SELECT * cannot be foretold (a pseudonym has a key).

-- relation: care.customers | for: support_app care, dba schema_change
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, region, language, created_at FROM care.customers WHERE NOT child(customer_id)
-- relation: care.customers | for: support_app care.support
SELECT customer_id, full_name, email, phone, city, birth_date, health_note, NULL, region, language, created_at FROM care.customers
-- relation: care.customers | for: dba emergency
SELECT * FROM care.customers
-- relation: care.customers | for: support_app care.callback, dialer care.callback
SELECT customer_id, full_name, NULL, phone, NULL, NULL, NULL, NULL, region, language, created_at FROM care.customers WHERE NOT child(customer_id)
-- relation: care.customers | for: support_app care.quality, quality care.quality
SELECT customer_id, initial(full_name), mailbox(email), ends(phone), initial(city), date_trunc('year', birth_date)::date,
       NULL, NULL, region, language, created_at
FROM care.customers WHERE NOT child(customer_id) AND NOT swiss(customer_id)
-- relation: care.customers | for: support_app fraud
SELECT customer_id, full_name, email, phone, city, date_trunc('year', birth_date)::date, NULL, device_id, region, language, created_at
FROM care.customers WHERE NOT child(customer_id)
-- relation: care.customers | for: marketing_app marketing, marketing_app marketing.partner_offers
SELECT CASE WHEN NOT no(customer_id, {purposes}) THEN customer_id END,
       CASE WHEN NOT no(customer_id, {purposes}) THEN initial(full_name) END,
       CASE WHEN NOT no(customer_id, {purposes}) THEN mailbox(email) END, NULL, NULL,
       CASE WHEN NOT no(customer_id, {purposes}) THEN date_trunc('decade', birth_date)::date END,
       NULL, NULL, region, language, created_at
FROM care.customers WHERE NOT child(customer_id) AND created_at >= now() - interval '3 years'
-- relation: care.customers | for: marketing_app marketing.email
SELECT CASE WHEN NOT no(customer_id, {purposes}) THEN customer_id END,
       CASE WHEN NOT no(customer_id, {purposes}) THEN full_name END,
       CASE WHEN NOT no(customer_id, {purposes}) THEN email END, NULL, NULL,
       CASE WHEN NOT no(customer_id, {purposes}) THEN date_trunc('decade', birth_date)::date END,
       NULL, NULL, region, language, created_at
FROM care.customers WHERE NOT child(customer_id) AND created_at >= now() - interval '3 years'
-- relation: care.customers | for: partner marketing.partner_offers
SELECT CASE WHEN NOT no(customer_id, {purposes}, 'third_party') THEN customer_id END,
       CASE WHEN NOT no(customer_id, {purposes}, 'third_party') THEN initial(full_name) END,
       CASE WHEN NOT no(customer_id, {purposes}, 'third_party') THEN mailbox(email) END, NULL, NULL,
       CASE WHEN NOT no(customer_id, {purposes}, 'third_party') THEN date_trunc('decade', birth_date)::date END,
       NULL, NULL, region, language, created_at
FROM care.customers WHERE NOT child(customer_id) AND created_at >= now() - interval '3 years' AND abroad(customer_id)
-- relation: care.customers | for: analytics research | through: customer_id, full_name, email IS NOT NULL, phone, city, birth_date, health_note, device_id, region, language, created_at
SELECT NULL, NULL, NOT no(customer_id, {purposes}), NULL, NULL,
       CASE WHEN NOT no(customer_id, {purposes}) THEN date_trunc('decade', birth_date)::date END,
       CASE WHEN yes(customer_id, {purposes}) THEN health_note END, NULL, region, language, created_at
FROM care.customers WHERE NOT child(customer_id)
-- relation: care.customers | for: partner research | through: customer_id, full_name, email IS NOT NULL, phone, city, birth_date, health_note, device_id, region, language, created_at
SELECT NULL, NULL, NOT no(customer_id, {purposes}, 'third_party'), NULL, NULL,
       CASE WHEN NOT no(customer_id, {purposes}, 'third_party') THEN date_trunc('decade', birth_date)::date END,
       CASE WHEN yes(customer_id, {purposes}) AND yes(customer_id, 'third_party') THEN health_note END,
       NULL, region, language, created_at
FROM care.customers WHERE NOT child(customer_id) AND abroad(customer_id)
-- relation: care.customers | for: portal subject_access
SELECT * FROM care.customers WHERE customer_id = {person}

-- relation: care.interactions | for: support_app care, analytics research, dba schema_change
SELECT interaction_id, NULL, NULL, channel, NULL, duration_s, started_at FROM care.interactions WHERE NOT child(customer_id)
-- relation: care.interactions | for: support_app care.support, dba emergency
SELECT * FROM care.interactions
-- relation: care.interactions | for: support_app care.callback, dialer care.callback, support_app fraud
SELECT interaction_id, customer_id, NULL, channel, NULL, duration_s, started_at FROM care.interactions WHERE NOT child(customer_id)
-- relation: care.interactions | for: support_app care.quality, quality care.quality
SELECT * FROM care.interactions
WHERE NOT child(customer_id) AND NOT swiss(customer_id) AND started_at >= now() - interval '2 years'
-- relation: care.interactions | for: marketing_app marketing, marketing_app marketing.email, marketing_app marketing.partner_offers
SELECT interaction_id, CASE WHEN NOT no(customer_id, {purposes}) THEN customer_id END, NULL, channel, NULL, duration_s, started_at
FROM care.interactions WHERE NOT child(customer_id)
-- relation: care.interactions | for: partner marketing.partner_offers
SELECT interaction_id, CASE WHEN NOT no(customer_id, {purposes}, 'third_party') THEN customer_id END, NULL, channel, NULL, duration_s, started_at
FROM care.interactions WHERE NOT child(customer_id) AND abroad(customer_id)
-- relation: care.interactions | for: partner research
SELECT interaction_id, NULL, NULL, channel, NULL, duration_s, started_at
FROM care.interactions WHERE NOT child(customer_id) AND abroad(customer_id)
-- relation: care.interactions | for: portal subject_access
SELECT interaction_id, customer_id, NULL, channel, subject, duration_s, started_at FROM care.interactions WHERE customer_id = {person}

-- relation: care.transcripts | for: support_app care, analytics research, dba schema_change
SELECT interaction_id, line_no, NULL, speaker, NULL, said_at FROM care.transcripts WHERE NOT child(customer_id)
-- relation: care.transcripts | for: support_app care.support, dba emergency
SELECT * FROM care.transcripts
-- relation: care.transcripts | for: support_app care.callback, dialer care.callback, support_app fraud
SELECT interaction_id, line_no, customer_id, speaker, NULL, said_at FROM care.transcripts WHERE NOT child(customer_id)
-- relation: care.transcripts | for: support_app care.quality, quality care.quality
SELECT * FROM care.transcripts
WHERE NOT child(customer_id) AND NOT swiss(customer_id) AND said_at >= now() - interval '2 years'
-- relation: care.transcripts | for: marketing_app marketing, marketing_app marketing.email, marketing_app marketing.partner_offers
SELECT interaction_id, line_no, CASE WHEN NOT no(customer_id, {purposes}) THEN customer_id END, speaker, NULL, said_at
FROM care.transcripts WHERE NOT child(customer_id)
-- relation: care.transcripts | for: partner marketing.partner_offers
SELECT interaction_id, line_no, CASE WHEN NOT no(customer_id, {purposes}, 'third_party') THEN customer_id END, speaker, NULL, said_at
FROM care.transcripts WHERE NOT child(customer_id) AND abroad(customer_id)
-- relation: care.transcripts | for: partner research
SELECT interaction_id, line_no, NULL, speaker, NULL, said_at FROM care.transcripts WHERE NOT child(customer_id) AND abroad(customer_id)
-- relation: care.transcripts | for: portal subject_access
SELECT * FROM care.transcripts WHERE customer_id = {person}

-- relation: care.orders | for: support_app care, analytics research, dba schema_change
SELECT order_id, NULL, NULL, NULL, NULL, ordered_at FROM care.orders WHERE NOT child(customer_id)
-- relation: care.orders | for: support_app care.support, dba emergency
SELECT * FROM care.orders
-- relation: care.orders | for: support_app care.callback, dialer care.callback
SELECT order_id, customer_id, NULL, NULL, NULL, ordered_at FROM care.orders WHERE NOT child(customer_id)
-- relation: care.orders | for: support_app care.quality, quality care.quality
SELECT order_id, customer_id, NULL, NULL, NULL, ordered_at FROM care.orders WHERE NOT child(customer_id) AND NOT swiss(customer_id)
-- relation: care.orders | for: support_app fraud
SELECT * FROM care.orders WHERE NOT child(customer_id)
-- relation: care.orders | for: marketing_app marketing, marketing_app marketing.email, marketing_app marketing.partner_offers
SELECT order_id, customer_id, NULL, NULL, NULL, ordered_at FROM care.orders WHERE NOT child(customer_id) AND NOT no(customer_id, {purposes})
-- relation: care.orders | for: partner marketing.partner_offers
SELECT order_id, customer_id, NULL, NULL, NULL, ordered_at FROM care.orders
WHERE NOT child(customer_id) AND NOT no(customer_id, {purposes}, 'third_party') AND abroad(customer_id)
-- relation: care.orders | for: partner research
SELECT order_id, NULL, NULL, NULL, NULL, ordered_at FROM care.orders WHERE NOT child(customer_id) AND abroad(customer_id)
-- relation: care.orders | for: portal subject_access
SELECT * FROM care.orders WHERE customer_id = {person}

-- relation: care.consents | for: support_app care, analytics research, dba schema_change
SELECT consent_id, NULL, NULL, NULL, recorded_at, expires_at FROM care.consents WHERE NOT child(customer_id)
-- relation: care.consents | for: support_app care.support, dba emergency
SELECT * FROM care.consents
-- relation: care.consents | for: support_app care.callback, dialer care.callback, support_app fraud
SELECT consent_id, customer_id, NULL, NULL, recorded_at, expires_at FROM care.consents WHERE NOT child(customer_id)
-- relation: care.consents | for: support_app care.quality, quality care.quality
SELECT consent_id, customer_id, NULL, NULL, recorded_at, expires_at FROM care.consents WHERE NOT child(customer_id) AND NOT swiss(customer_id)
-- relation: care.consents | for: marketing_app marketing, marketing_app marketing.email, marketing_app marketing.partner_offers
SELECT consent_id, CASE WHEN NOT no(customer_id, {purposes}) THEN customer_id END, NULL, NULL, recorded_at, expires_at
FROM care.consents WHERE NOT child(customer_id)
-- relation: care.consents | for: partner marketing.partner_offers
SELECT consent_id, CASE WHEN NOT no(customer_id, {purposes}, 'third_party') THEN customer_id END, NULL, NULL, recorded_at, expires_at
FROM care.consents WHERE NOT child(customer_id) AND abroad(customer_id)
-- relation: care.consents | for: partner research
SELECT consent_id, NULL, NULL, NULL, recorded_at, expires_at FROM care.consents WHERE NOT child(customer_id) AND abroad(customer_id)
-- relation: care.consents | for: portal subject_access
SELECT * FROM care.consents WHERE customer_id = {person}

-- relation: care.agents | for: support_app care.support, support_app care.quality, quality care.quality, dba emergency
SELECT * FROM care.agents
-- relation: care.agents | for: support_app care, support_app care.callback, dialer care.callback, support_app fraud, marketing_app marketing, marketing_app marketing.email, marketing_app marketing.partner_offers, analytics research, portal subject_access, dba schema_change
SELECT NULL, NULL, NULL, team FROM care.agents
-- relation: care.agents | for: partner marketing.partner_offers, partner research | refused: transfer_not_allowed

-- relation: care.products | for: support_app care, support_app care.support, support_app care.callback, support_app care.quality, support_app fraud, quality care.quality, analytics research, analytics service_improvement, marketing_app marketing, marketing_app marketing.email, marketing_app marketing.partner_offers, dialer care.callback, partner marketing.partner_offers, partner research, portal subject_access, dba schema_change, dba emergency
SELECT * FROM care.products

-- ===== statistics only
-- relation: care.customers | for: analytics service_improvement | refused: aggregate_required
-- relation: care.interactions | for: analytics service_improvement | refused: aggregate_required
-- relation: care.transcripts | for: analytics service_improvement | refused: aggregate_required
-- relation: care.orders | for: analytics service_improvement | refused: aggregate_required
-- relation: care.consents | for: analytics service_improvement | refused: aggregate_required
-- relation: care.agents | for: analytics service_improvement | refused: aggregate_required
