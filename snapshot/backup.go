package snapshot

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
)

// The members of a backup, in their order.
const (
	manifestMember = "manifest.json"
	stateMember    = "state.db"
	sumsMember     = "SHA256SUMS"
)

// journalMode is where a SQLite file says how it is read and written: 2 is by WAL, 1 is by a rollback journal.
const journalMode = 18

// WriteBackup writes the image for operators: a tar archive, compressed with gzip, of the manifest, the database as a
// plain SQLite file, and the checksums of both as sha256sum -c reads them. The manifest's Size and FormatVersion are
// filled in. ReadBackup refuses an archive that an error has cut short.
func (img *Image) WriteBackup(ctx context.Context, w io.Writer, m Manifest) error {
	m.FormatVersion, m.Size = formatVersion, img.size
	head, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	sum := sha256.New()
	zip, err := gzip.NewWriterLevel(io.MultiWriter(w, sum), gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("compress backup: %w", err)
	}
	archive := &backupWriter{tar: tar.NewWriter(zip), at: m.CreatedAt}
	err = archive.add(manifestMember, int64(len(head)), func(w io.Writer) error {
		_, err := w.Write(head)
		return err
	})
	if err == nil {
		err = archive.add(stateMember, img.size, func(w io.Writer) error {
			return img.writePages(ctx, &plainFile{w: w})
		})
	}
	if err == nil {
		err = archive.end()
	}
	if err = errors.Join(err, zip.Close()); err == nil {
		_, err = w.Write(backupSeal(sum.Sum(nil)))
	}
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

// backupWriter writes members and remembers their checksums.
type backupWriter struct {
	tar  *tar.Writer
	at   time.Time
	sums bytes.Buffer
}

func (b *backupWriter) header(name string, size int64) error {
	return b.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: b.at, Format: tar.FormatPAX,
	})
}

func (b *backupWriter) add(name string, size int64, write func(io.Writer) error) error {
	if err := b.header(name, size); err != nil {
		return err
	}
	sum := sha256.New()
	if err := write(io.MultiWriter(b.tar, sum)); err != nil {
		return err
	}
	b.sums.WriteString(sumLine(sum, name))
	return nil
}

func (b *backupWriter) end() error {
	if err := b.header(sumsMember, int64(b.sums.Len())); err != nil {
		return err
	}
	if _, err := b.tar.Write(b.sums.Bytes()); err != nil {
		return err
	}
	return b.tar.Close()
}

func sumLine(sum hash.Hash, name string) string {
	return hex.EncodeToString(sum.Sum(nil)) + "  " + name + "\n"
}

// plainFile marks a database as one without a WAL, so that it can be read from a medium that cannot be written.
type plainFile struct {
	w      io.Writer
	behind bool // the first page was written
}

func (p *plainFile) Write(page []byte) (int, error) {
	if !p.behind && len(page) > journalMode+1 {
		page = bytes.Clone(page)
		page[journalMode], page[journalMode+1] = 1, 1
		p.behind = true
	}
	return p.w.Write(page)
}

// backupSeal is an empty gzip stream behind the archive, which gunzip and tar ignore. Its comment is
// the checksum of every byte before: gzip itself does not notice a flipped bit that it does not use.
func backupSeal(sum []byte) []byte {
	// RFC 1952: magic, deflate, a comment follows, no time, no extra flags, unknown system.
	tail := []byte{0x1f, 0x8b, 8, 1 << 4, 0, 0, 0, 0, 0, 0xff}
	tail = append(append(tail, "sha256:"+hex.EncodeToString(sum)...), 0)
	// An empty block, the CRC-32 of nothing, and its length.
	return append(tail, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// ReadBackup copies the database of a backup to db, and vouches for it only when it returns nil. The reader must end
// where the backup ends. begin, which may be nil, gets the manifest before the database is copied.
func ReadBackup(r io.Reader, db io.Writer, begin func(Manifest)) (m Manifest, err error) {
	source := newBody(r, backupSeal)
	out := &watchedWriter{w: db}
	m, err = readArchive(source, out, begin)
	switch {
	case out.err != nil:
		return m, out.err // the disk's fault, not the backup's
	case source.failed() != nil:
		return m, fmt.Errorf("read: %w", source.failed())
	case errors.Is(err, ErrVersion):
		return m, err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return m, fmt.Errorf("%w: truncated", ErrCorrupt)
	case err != nil && !errors.Is(err, ErrCorrupt):
		return m, fmt.Errorf("%w: %w", ErrCorrupt, err)
	case err != nil:
		return m, err
	}
	return m, source.verify()
}

func readArchive(source io.Reader, db io.Writer, begin func(Manifest)) (m Manifest, err error) {
	zip, err := gzip.NewReader(source)
	if err != nil {
		return m, err
	}
	zip.Multistream(false)
	a := &backupReader{tar: tar.NewReader(zip)}
	if m, err = a.manifest(); err != nil {
		return m, err
	}
	if begin != nil {
		begin(m)
	}
	if err := a.rest(m, db); err != nil {
		return m, err
	}
	return m, expectZeros(zip)
}

// expectZeros reads what pads the archive.
func expectZeros(r io.Reader) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Read(buffer)
		if len(bytes.Trim(buffer[:n], "\x00")) > 0 {
			return errors.New("trailing bytes in the archive")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// backupReader reads the members and their checksums.
type backupReader struct {
	tar  *tar.Reader
	sums bytes.Buffer
}

func (b *backupReader) next(name string) (*tar.Header, error) {
	h, err := b.tar.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s is missing", name)
	case err != nil:
		return nil, err
	case h.Name != name || h.Typeflag != tar.TypeReg:
		return nil, fmt.Errorf("it has %q where %s is expected", h.Name, name)
	}
	return h, nil
}

func (b *backupReader) copy(name string, w io.Writer, size int64) error {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), b.tar)
	if err == nil && n != size {
		err = fmt.Errorf("%s has %d bytes, want %d", name, n, size)
	}
	b.sums.WriteString(sumLine(sum, name))
	return err
}

func (b *backupReader) manifest() (m Manifest, err error) {
	h, err := b.next(manifestMember)
	if err != nil {
		return m, err
	}
	if h.Size > maxManifest {
		return m, fmt.Errorf("manifest has %d bytes", h.Size)
	}
	var data bytes.Buffer
	if err := b.copy(manifestMember, &data, h.Size); err != nil {
		return m, err
	}
	return parseManifest(data.Bytes())
}

func (b *backupReader) rest(m Manifest, db io.Writer) error {
	h, err := b.next(stateMember)
	if err != nil {
		return err
	}
	if h.Size != m.Size {
		return fmt.Errorf("%s has %d bytes, the manifest says %d", stateMember, h.Size, m.Size)
	}
	if err := b.copy(stateMember, db, m.Size); err != nil {
		return err
	}
	if _, err := b.next(sumsMember); err != nil {
		return err
	}
	want, err := io.ReadAll(io.LimitReader(b.tar, maxManifest))
	if err != nil {
		return err
	}
	if !bytes.Equal(b.sums.Bytes(), want) {
		return errors.New("wrong checksum")
	}
	if _, err := b.tar.Next(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("more members than expected"), err)
	}
	return nil
}

// watchedWriter keeps the error of a writer.
type watchedWriter struct {
	w   io.Writer
	err error
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.err = err
	return n, err
}

// InstallBackup writes the database of a backup to a new file in dir, as Install does for a snapshot.
func InstallBackup(r io.Reader, dir string) (path string, m Manifest, err error) {
	return install(dir, func(w io.Writer) (Manifest, error) { return ReadBackup(r, w, nil) })
}

// InstallCopy copies a plain SQLite file to a new file in dir, as Install does for a snapshot.
func InstallCopy(r io.Reader, dir string) (path string, err error) {
	path, _, err = install(dir, func(w io.Writer) (Manifest, error) {
		n, err := io.Copy(w, r)
		return Manifest{Size: n}, err
	})
	return path, err
}
