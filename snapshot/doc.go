// Package snapshot moves a SQLite database as bytes: it captures one moment of a live database, writes it as a
// compressed and checksummed stream with a manifest in front, and installs such a stream as a new file.
// Backups for operators are archives that tar and sqlite3 can read; see Image.WriteBackup.
//
// A stream is
//
//	8 bytes   "ffrtsnap"
//	4 bytes   length of the manifest, big endian
//	          the manifest, JSON
//	          the database's pages in order, one zstd stream
//	32 bytes  SHA-256 of everything before
//
// and ends there: its end is the reader's io.EOF.
package snapshot
