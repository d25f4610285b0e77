-- What is due is read per endpoint: thousands that wait for one must not hide those of the others.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (endpoint_id, next_attempt_at) WHERE status = 'pending';
