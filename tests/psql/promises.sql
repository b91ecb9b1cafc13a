-- The twenty promises of rules/customer-care.yaml, seen at the wire. Played by run.py, which explains the header;
-- the number before the case's name is the promise's. `audit` is looked for in the records that the case leaves.
-- taken-out.txt says which of these cases fail without which lines of the rules. (17 is tested there too.)

-- case: 1-support-serves | role: support_app | must-see: Ada Lindqvist \| ada\.lindqvist@example\.net \| Hearing aid
SELECT full_name, email, health_note FROM care.customers WHERE customer_id = 1;
-- case: 1-nobody-need-be-asked | role: support_app | must-see: Chidi Okafor \| Asthma
SELECT full_name, health_note FROM care.customers WHERE customer_id = 3;
-- case: 1-callback | role: dialer | must-see: Bruno Keller \| \+41 79 555 0102 \| +$
SELECT full_name, phone, email FROM care.customers WHERE customer_id = 2;

-- case: 2-never-sold | role: marketing_app | purpose: sale | fails | must-see: \(purpose_prohibited\)
SELECT email FROM care.customers;
-- case: 2-never-rented | role: marketing_app | purpose: rental | fails | must-see: \(purpose_prohibited\)
SELECT email FROM care.customers;

-- case: 3-compatible | role: support_app | purpose: fraud | must-see: ada\.lindqvist@example\.net \| ada00000-
SELECT email, device_id FROM care.customers WHERE customer_id = 1;
-- case: 3-compatible-needs-no-consent | role: support_app | purpose: fraud | must-see: farah\.khan@example\.com
SELECT email FROM care.customers WHERE customer_id = 6;
-- case: 3-only-what-it-was-collected-for | role: marketing_app | purpose: marketing.email | must-see: \(0 rows\)
SELECT customer_id, email FROM care.customers WHERE customer_id = 2;
-- case: 3-later-authorised | role: analytics | purpose: research | must-see: Hearing aid
SELECT health_note FROM care.customers WHERE health_note IS NOT NULL;
-- case: 3-not-compatible | role: marketing_app | purpose: marketing | must-see: ^ +\| +0$
SELECT max(line) AS line, count(subject) FROM care.transcripts JOIN care.interactions USING (interaction_id);
-- case: 3-ended | role: marketing_app | purpose: marketing.autumn_survey | fails | must-see: \(purpose_expired\)
SELECT email FROM care.customers;

-- case: 4-third-party-opt-out | role: partner | purpose: marketing.partner_offers | must-see: ^ *3 \| c\*+@example\.com$ | must-not-see: g\*+@
SELECT customer_id, email FROM care.customers WHERE customer_id IN (3, 7) ORDER BY 1;
-- case: 4-but-not-of-the-controllers-use | role: marketing_app | purpose: marketing.partner_offers | must-see: ^ *7 \| g\*+@example\.org$
SELECT customer_id, email FROM care.customers WHERE customer_id IN (3, 7) ORDER BY 1;

-- case: 5-opted-out-of-marketing | role: marketing_app | purpose: marketing.email | must-see: ada\.lindqvist | must-see: chidi\.okafor | must-not-see: bruno\.keller|farah\.khan
SELECT email FROM care.customers WHERE full_name <= 'Farah Khan' ORDER BY email;
-- case: 5-who-said-no-has-no-orders-there | role: marketing_app | purpose: marketing | must-see: ^ *4 \| +0$
SELECT count(*) FILTER (WHERE order_id IN (1, 2, 3, 4)), count(*) FILTER (WHERE order_id IN (23, 24)) FROM care.orders;

-- case: 6-sensitive-needs-yes | role: analytics | purpose: research | must-see: Hearing aid | must-not-see: Pacemaker|Asthma|Migraine
SELECT birth_date, health_note FROM care.customers WHERE health_note IS NOT NULL;
-- case: 6-sensitive-not-to-third-parties | role: partner | purpose: research | must-not-see: Asthma|Hearing aid|Pacemaker
SELECT health_note FROM care.customers;
-- case: 6-expired-consent-is-none | role: analytics | purpose: research | must-not-see: Low vision
SELECT health_note FROM care.customers ORDER BY health_note;

-- case: 7-assured-processor | role: dialer | must-see: Ada Lindqvist
SELECT full_name FROM care.customers WHERE customer_id = 1;
-- case: 7-assurance-lapsed | role: former_dialer | fails | must-see: \(recipient_not_assured\)
SELECT full_name FROM care.customers;

-- case: 8-no-transfer | role: partner | purpose: marketing.partner_offers | must-see: uk +\|  *[1-9] | must-see: us +\|  *[1-9] | must-not-see: eu +\||ch +\|
SELECT region, count(*) FROM care.customers GROUP BY region;
-- case: 8-unknown-region-is-restricted | role: partner | purpose: marketing.partner_offers | must-see: ^ *0$
SELECT count(*) FROM care.customers WHERE region IS NULL;
-- case: 8-transfer-with-a-mechanism | role: dialer | must-see: eu +\|  *[1-9] | must-see: ch +\|  *[1-9]
SELECT region, count(*) FROM care.customers GROUP BY region;

-- case: 9-no-person-in-statistics | role: analytics | purpose: service_improvement | fails | must-see: \(aggregate_required\)
SELECT full_name FROM care.customers;
-- case: 9-no-row-in-statistics | role: analytics | purpose: service_improvement | fails | must-see: \(aggregate_required\)
SELECT region, birth_date FROM care.customers;

-- case: 9-small-groups-are-left-out | role: analytics | purpose: service_improvement | must-see: eu +\| 1970-01-01 +\| +[1-9][0-9] | must-not-see: \| +[1-9] *$
SELECT region, birth_date, count(*) FROM care.customers GROUP BY region, birth_date;
-- case: 9-groups-are-coarse | role: analytics | purpose: service_improvement | must-see: 1970-01-01 \| | must-not-see: \d{4}-(0[2-9]|1[0-2])
SELECT birth_date, count(*) FROM care.customers GROUP BY birth_date;
-- case: 9-people-are-counted-once | role: analytics | purpose: service_improvement | must-see: ^ *t$
SELECT count(DISTINCT customer_id) < count(*) FROM care.orders;

-- case: 10-swiss-only-for-support | role: quality | purpose: care.quality | must-see: ^ *0 \| +0 \| +0$
SELECT (SELECT count(*) FROM care.customers WHERE region = 'ch'), (SELECT count(*) FROM care.interactions WHERE customer_id = 2),
       (SELECT count(*) FROM care.transcripts WHERE customer_id = 2);
-- case: 10-swiss-for-support | role: support_app | must-see: ^ *[1-9][0-9]* \| +1$
SELECT (SELECT count(*) FROM care.customers WHERE region = 'ch'), (SELECT count(*) FROM care.interactions WHERE customer_id = 2);
-- case: 10-purpose-not-granted | role: support_app | purpose: marketing | fails | must-see: \(purpose_not_granted\)
SELECT email FROM care.customers;

-- case: 11-oneself | role: portal | subject: care.customers:2 | must-see: Bruno Keller \| Pacemaker since 2019 | must-see: \(1 row\)
SELECT full_name, health_note FROM care.customers;
-- case: 11-oneself-in-a-comment | role: portal | must-see: Bruno Keller \| Pacemaker since 2019 | must-see: \(1 row\)
SELECT full_name, health_note FROM care.customers /*subject='care.customers:2'*/;
-- case: 11-nobody-else | role: portal | subject: care.customers:2 | must-see: \(0 rows\)
SELECT full_name FROM care.customers WHERE customer_id = 1;
-- case: 11-not-the-agents | role: portal | subject: care.customers:2 | must-see: ^ *1 \| +0$ | must-not-see: @care\.example
SELECT count(*), count(agent_id) FROM care.interactions;
-- case: 11-a-child-too | role: portal | subject: care.customers:5 | must-see: Emil Berg
SELECT full_name FROM care.customers;
-- case: 11-subject-missing | role: portal | fails | must-see: \(subject_missing\)
SELECT full_name FROM care.customers;
-- case: 11-subject-not-a-key | role: portal | subject: care.customers:two | fails | must-see: \(subject_missing\)
SELECT full_name FROM care.customers;

-- case: 12-correct | role: portal | subject: care.customers:2 | must-see: UPDATE 1 | must-see: Bern
BEGIN; UPDATE care.customers SET city = 'Bern' WHERE customer_id = 2; SELECT city FROM care.customers; ROLLBACK;
-- case: 12-correct-without-a-condition | role: portal | subject: care.customers:2 | must-see: UPDATE 1$
BEGIN; UPDATE care.customers SET city = 'Bern'; ROLLBACK;
-- case: 12-not-others | role: portal | subject: care.customers:2 | must-see: UPDATE 0
BEGIN; UPDATE care.customers SET city = 'Bern' WHERE customer_id = 1; ROLLBACK;
-- case: 12-delete | role: portal | subject: care.customers:2 | must-see: DELETE 1
BEGIN; DELETE FROM care.customers; ROLLBACK;

-- case: 13-no-more-than-needed | role: dialer | must-see: ^ *Ada Lindqvist \| \+46 70 555 0101 \| +\| +\| +\| +$
SELECT full_name, phone, email, birth_date, health_note, city FROM care.customers WHERE customer_id = 1;
-- case: 13-support-sees-no-device | role: support_app | must-see: ^ *0$
SELECT count(device_id) FROM care.customers;
-- case: 13-retention | role: marketing_app | purpose: marketing | must-see: ^ *0$
SELECT count(*) FROM care.customers WHERE created_at < now() - interval '3 years';
-- case: 13-max-rows | role: quality | purpose: care.quality | fails | must-see: \(too_many_rows\)
SELECT customer_id FROM care.customers;

-- case: 14-children-are-not-there | role: quality | purpose: care.quality | must-see: ^ *0$
SELECT count(*) FROM care.customers WHERE customer_id = 5;
-- case: 14-nor-their-orders | role: marketing_app | purpose: marketing | must-see: ^ *0$
SELECT count(*) FROM care.orders WHERE customer_id = 5;
-- case: 14-support-can-delete-them | role: support_app | must-see: Emil Berg | must-see: DELETE 1
BEGIN; DELETE FROM care.customers WHERE customer_id = 5 RETURNING full_name; ROLLBACK;
-- case: 14-none-is-collected | role: support_app | fails | must-see: \(child_data\)
BEGIN; INSERT INTO care.customers (full_name, email, birth_date) VALUES ('Too Young', 'too.young@example.org', current_date - 2000); ROLLBACK;
-- case: 14-nor-by-update | role: support_app | fails | must-see: \(child_data\)
BEGIN; UPDATE care.customers SET birth_date = current_date - 2000 WHERE customer_id = 3; ROLLBACK;

-- case: 15-device-without-consent | role: support_app | fails | must-see: \(write_not_allowed\)
BEGIN; INSERT INTO care.customers (full_name, email, birth_date, device_id) VALUES ('No Consent', 'no.consent@example.org', '1980-01-01', gen_random_uuid()); ROLLBACK;
-- case: 15-device-without-consent-by-update | role: support_app | fails | must-see: \(write_not_allowed\)
BEGIN; UPDATE care.customers SET device_id = gen_random_uuid() WHERE customer_id = 3; ROLLBACK;
-- case: 15-device-with-consent | role: support_app | must-see: UPDATE 1
BEGIN; UPDATE care.customers SET device_id = gen_random_uuid() WHERE customer_id = 1; ROLLBACK;
-- case: 15-without-a-device | role: support_app | must-see: INSERT 0 1
BEGIN; INSERT INTO care.customers (full_name, email, birth_date) VALUES ('No Device', 'no.device@example.org', '1980-01-01'); ROLLBACK;

-- case: 16-no-write-without-a-rule | role: marketing_app | purpose: marketing | fails | must-see: \(write_not_allowed\)
BEGIN; UPDATE care.customers SET language = 'xx' WHERE customer_id = 1; ROLLBACK;
-- case: 16-no-schema-change | role: support_app | fails | must-see: \(statement_not_allowed\)
CREATE TABLE care.other (id integer);
-- case: 16-no-copy | role: support_app | fails | must-see: \((statement_not_allowed|write_not_allowed)\)
CREATE TABLE care.copy AS SELECT * FROM care.customers;
-- case: 16-no-purpose | role: quality | fails | must-see: \(purpose_missing\) | must-see: HINT:.*care\.quality
SELECT email FROM care.customers;
-- case: 18-emergency-needs-a-reason | role: dba | purpose: emergency | fails | must-see: \(reason_missing\)
SELECT phone FROM care.customers WHERE customer_id = 1;

-- case: 18-who-and-why | role: dba | purpose: emergency | reason: T-4711 | actor: agent-17 | must-see: \+46 70 555 0101 | audit: "event":"statement".*"role":"dba","actor":"agent-17".*"client":"127\.0\.0\.1:.*"purpose":"emergency".*"reason":"T-4711".*care\.customers\.phone | audit: "event":"break_glass".*"phase":"began"
SELECT phone FROM care.customers WHERE customer_id = 1;
-- case: 18-who-was-refused | role: support_app | purpose: marketing | fails | audit: "role":"support_app".*"purpose":"marketing".*"outcome":"refuse","code":"purpose_not_granted"
SELECT email FROM care.customers;

-- case: 19-rules-are-dated | role: support_app | must-see: 2026-11-24
SHOW pgpurpose.policy;
-- case: 20-whom-to-ask | role: quality | purpose: care.quality | fails | must-see: HINT:.*privacy@example\.com
SELECT device_id FROM care.customers;
