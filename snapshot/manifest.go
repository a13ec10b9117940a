package snapshot

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	magic         = "ffrtsnap"
	formatVersion = 1
	maxManifest   = 64 << 10
)

// ErrCorrupt is in the chain of every error that says: this stream is not a whole, undamaged snapshot. Errors of the
// disk or of the reader itself do not carry it.
var ErrCorrupt = errors.New("snapshot is corrupt")

// ErrVersion is in the chain of the error for a snapshot or backup in a format that this program does not know.
var ErrVersion = errors.New("snapshot is of another version of this program")

// Manifest says what a snapshot holds. It stands in front of the stream, uncompressed.
type Manifest struct {
	FormatVersion int       `json:"format_version"` // of the stream; set by Write
	SchemaVersion int       `json:"schema_version"` // of the database in it
	Index         uint64    `json:"index"`          // last Raft entry that the database reflects
	Term          uint64    `json:"term"`           // of that entry
	ClusterID     string    `json:"cluster_id"`
	CreatedAt     time.Time `json:"created_at"`
	Size          int64     `json:"size"`              // of the database, bytes; set by Write
	Version       string    `json:"version,omitempty"` // of the program that wrote a backup
	LeaseEpoch    int64     `json:"lease_epoch"`       // how often a backup was restored before
	// How many of each are in a backup.
	Jobs  int64 `json:"jobs"`
	Nodes int64 `json:"nodes"`
	Keys  int64 `json:"keys"`
}

// ReadManifest reads the manifest of a stream, and not a byte beyond it. It does not know yet whether the rest is
// whole:
// the checksum stands at the end and is checked by Install.
func ReadManifest(r io.Reader) (Manifest, error) {
	var head [len(magic) + 4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Manifest{}, readError("read header", err)
	}
	if string(head[:len(magic)]) != magic {
		return Manifest{}, fmt.Errorf("%w: does not start with %q", ErrCorrupt, magic)
	}
	length := binary.BigEndian.Uint32(head[len(magic):])
	if length > maxManifest {
		return Manifest{}, fmt.Errorf("%w: manifest has %d bytes", ErrCorrupt, length)
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(r, data); err != nil {
		return Manifest{}, readError("read manifest", err)
	}
	return parseManifest(data)
}

func parseManifest(data []byte) (m Manifest, err error) {
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("%w: manifest: %w", ErrCorrupt, err)
	}
	if m.FormatVersion != formatVersion {
		return Manifest{}, fmt.Errorf("%w: format version %d; this program supports %d", ErrVersion, m.FormatVersion,
			formatVersion)
	}
	if m.Size <= 0 {
		return Manifest{}, fmt.Errorf("%w: database has %d bytes", ErrCorrupt, m.Size)
	}
	return m, nil
}

func writeManifest(w io.Writer, m Manifest) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	if len(data) > maxManifest {
		return fmt.Errorf("manifest has %d bytes; at most %d are allowed", len(data), maxManifest)
	}
	head := append([]byte(magic), binary.BigEndian.AppendUint32(nil, uint32(len(data)))...)
	if _, err := w.Write(append(head, data...)); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// readError tells a stream that ends too early from a reader that failed.
func readError(doing string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %s: truncated", ErrCorrupt, doing)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// FileName is a name for a backup that says when it was made and what it reflects. Names sort by time.
func (m Manifest) FileName() string {
	return fmt.Sprintf("ffrtmp-%s-%d.snap", m.CreatedAt.UTC().Format("20060102T150405.000Z"), m.Index)
}
