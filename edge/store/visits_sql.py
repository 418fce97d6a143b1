"""The statements of ``edge.store.leases``; instants are texts of ``edge.model.instants``."""

LEASES = """SELECT l.number_id, i.id, i.tag_id, i.visitor_id, l.generation, i.last_activity_at,
i.lease_until, i.call_ended_at, i.closed_at FROM pool_leases l JOIN impressions i ON i.id = l.impression_id"""
NEW = """INSERT INTO impressions (id, pool_id, campaign_id, tag_id, publisher_id, primary_number_id,
visitor_id, number_id, e164, generation, created_at, last_activity_at, lease_until, missed, page_views,
first_view, last_view, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)"""
TAKE = """INSERT INTO pool_leases (number_id, impression_id, generation) VALUES (?, ?, ?)
ON CONFLICT (number_id) DO UPDATE SET impression_id = excluded.impression_id,
generation = excluded.generation"""
VIEWED = "UPDATE impressions SET page_views = page_views + 1, last_view = ? WHERE id = ?"
ACTIVE = """UPDATE impressions SET last_activity_at = ?, lease_until = ?, closed_at = ?,
call_ended_at = NULL WHERE id = ?"""
CLOSED = "UPDATE impressions SET closed_at = ?, lease_until = ? WHERE id = ?"
ENDED = "UPDATE impressions SET call_ended_at = ? WHERE id = ?"
SUPERSEDED = "UPDATE impressions SET superseded_at = ? WHERE id = ?"
# By its visitor, says the plus sign: SQLite took the index of numbers, and looked at all visits without one.
MISSED = """SELECT id FROM impressions WHERE tag_id = ? AND visitor_id = ? AND +number_id IS NULL
AND last_activity_at > ? ORDER BY created_at DESC LIMIT 1"""
STILL_MISSED = "UPDATE impressions SET last_activity_at = ? WHERE id = ?"
GIVEN_LATE = """UPDATE impressions SET number_id = ?, e164 = ?, generation = ?, last_activity_at = ?,
lease_until = ?, pool_id = ? WHERE id = ?"""
RIVALS_OF = """SELECT id FROM impressions WHERE number_id = ? AND id != ? AND (last_activity_at > ?
OR lease_until > ?) ORDER BY created_at DESC LIMIT ?"""
VISIT = """SELECT id, pool_id, tag_id, primary_number_id, visitor_id, created_at, last_activity_at,
first_view, last_view, data FROM impressions WHERE id = ?"""
OWNER = """SELECT tag_id, visitor_id, number_id, last_view, data FROM impressions
WHERE id = ? AND last_activity_at >= ?"""
DATA = "SELECT data FROM impressions WHERE id = ?"
STORE_DATA = "UPDATE impressions SET data = ? WHERE id = ?"
CALLED = "UPDATE impressions SET calls = calls + 1 WHERE id = ?"
EARLIER = """SELECT impression_id FROM calls WHERE caller = ? AND called = ? AND started_at >= ?
AND impression_id IS NOT NULL AND pool_id = ? ORDER BY started_at DESC LIMIT 1"""
COUNT = """INSERT INTO pool_counts (pool_id, hour, event, count) VALUES (?, ?, ?, ?)
ON CONFLICT (pool_id, hour, event) DO UPDATE SET count = count + excluded.count"""
PEAK = """INSERT INTO pool_counts (pool_id, hour, event, count) VALUES (?, ?, 'peak', ?)
ON CONFLICT (pool_id, hour, event) DO UPDATE SET count = max(count, excluded.count)"""
STAMP = """INSERT INTO meta (key, value) VALUES (?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
