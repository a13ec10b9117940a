package snapshot

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Image is a database at one moment, held by a read transaction on a connection of its own. Writers continue and do
// not change it. It delays the WAL's checkpoint, so close it soon. One goroutine at a time may use it.
type Image struct {
	tx   *sql.Tx
	size int64 // bytes
}

// Pin captures the current content, within a fraction of a millisecond. The context bounds the image's lifetime:
// when it is done, the image is unusable. The caller must Close the image.
func Pin(ctx context.Context, db *sql.DB) (*Image, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("pin database: %w", err)
	}
	// SQLite's transaction begins with its first read, not with BEGIN; counting the pages is one.
	var pages, pageSize int64
	err = tx.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages)
	if err == nil {
		err = tx.QueryRowContext(ctx, "PRAGMA page_size").Scan(&pageSize)
	}
	if err != nil {
		_ = tx.Rollback()
		return nil, fmt.Errorf("pin database: %w", err)
	}
	return &Image{tx: tx, size: pages * pageSize}, nil
}

// QueryRowContext reads from the image, for the manifest.
func (img *Image) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return img.tx.QueryRowContext(ctx, query, args...)
}

// Close releases the image. Closing twice is harmless.
func (img *Image) Close() error {
	if err := img.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("release database: %w", err)
	}
	return nil
}

// Write writes the image as a snapshot; the manifest's Size and FormatVersion are filled in. A stream that an error has
// cut short is worthless, and Install refuses it.
func (img *Image) Write(ctx context.Context, w io.Writer, m Manifest) error {
	m.FormatVersion = formatVersion
	m.Size = img.size
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	if err := writeManifest(out, m); err != nil {
		return err
	}
	enc, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("compress snapshot: %w", err)
	}
	if err := img.writePages(ctx, enc); err != nil {
		_ = enc.Close()
		return err
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// writePages streams the pages, which are the bytes of the database's file: no temporary copy is made.
func (img *Image) writePages(ctx context.Context, w io.Writer) error {
	rows, err := img.tx.QueryContext(ctx, "SELECT data FROM sqlite_dbpage ORDER BY pgno")
	if err != nil {
		return fmt.Errorf("read pages: %w", err)
	}
	defer rows.Close()
	var written int64
	var page sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&page); err != nil {
			return fmt.Errorf("read pages: %w", err)
		}
		n, err := w.Write(page)
		if err != nil {
			return fmt.Errorf("write snapshot: %w", err)
		}
		written += int64(n)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read pages: %w", err)
	}
	if written != img.size {
		return fmt.Errorf("read pages: got %d bytes, want %d", written, img.size)
	}
	return nil
}
