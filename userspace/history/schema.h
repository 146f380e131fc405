// schema.h - the tables of a day's file and their index, and nothing else.
#pragma once

namespace apnat {

// 1: without checksums of the small tables. Such files are read as they are; one that is written on gets them.
inline constexpr int kSchemaVersion = 2;

inline constexpr const char* kSchema = R"(
-- what this file is: schema, node, begin_us, end_us, previous, carried, sealed
CREATE TABLE IF NOT EXISTS about(name TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- names behind the numbers of leases
CREATE TABLE IF NOT EXISTS pool(id INTEGER PRIMARY KEY, name TEXT NOT NULL, prefix_length INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS space(id INTEGER PRIMARY KEY, shape BLOB);  -- below 256: a protocol, no shape

-- leases: runs of pages, each run sorted; state 0: being written, 1: complete, 2: to be deleted
CREATE TABLE IF NOT EXISTS run(id INTEGER PRIMARY KEY, level INTEGER NOT NULL, state INTEGER NOT NULL,
                               leases INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS page(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, key INTEGER NOT NULL,
                                leases BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS page_by_key ON page(run, key);

-- what gave ports by rule; until_us NULL: not ended in this file
CREATE TABLE IF NOT EXISTS epoch(from_us INTEGER NOT NULL, until_us INTEGER, hash TEXT NOT NULL, body BLOB NOT NULL);

-- what is not known
CREATE TABLE IF NOT EXISTS gap(from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reset(last_seen_us INTEGER NOT NULL, at_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clock_step(from_us INTEGER NOT NULL, to_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS life(at_us INTEGER NOT NULL, what TEXT NOT NULL);

-- of all rows of a small table (table_sums.h)
CREATE TABLE IF NOT EXISTS checksum(of_table TEXT PRIMARY KEY, sum INTEGER NOT NULL) WITHOUT ROWID;
)";

// The one question of a look-up, for each run: the last page that begins at or before a key.
inline constexpr const char* kFindPage =
    "SELECT key, leases FROM page WHERE run = ?1 AND key <= ?2 ORDER BY key DESC LIMIT 1";

// And of whoever reads on: the page after one.
inline constexpr const char* kNextPage =
    "SELECT key, leases FROM page WHERE run = ?1 AND key > ?2 ORDER BY key LIMIT 1";

}  // namespace apnat
