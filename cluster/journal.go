package cluster

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

const (
	journalFile   = "raft.journal"
	journalMagic  = 0x6666_7274_6d6a_726e // "ffrtmjrn"
	journalPage   = 4096                  // a write never touches a page that was synced before
	journalFrames = 2 * journalPage       // offset of the first frame, behind the two headers
	journalSize   = journalFrames + 1<<20
	journalHeader = 36 // magic, id, generation, salt, checksum
	frameHeader   = 24 // generation, number, size, checksum
)

// journal has the newest entries of the log until many of them are written to bbolt in one
// transaction. An append is one write and one sync; a transaction of bbolt is about
// twenty writes and two syncs.
//
// The file has a fixed size. Its frames, one for each append, are overwritten from the
// start once bbolt has their entries: each time is a generation, with a number and a
// random salt in a header. A frame counts when its checksum, which covers the salt,
// is right. A frame is synced before the next is written: so a bad one with a good one
// behind it is damage, and a bad one at the end is an append that was never acknowledged,
// or damage that the mark shows. Calls must not be concurrent.
type journal struct {
	file       *os.File
	id         uint64 // also in the bbolt file that it belongs to
	generation uint64
	salt       uint64
	frames     uint64 // in this generation
	end        int64  // offset of the next frame
	buf        []byte // at least a frame's header
}

// openJournal opens the file and returns the entries in it. With a *DamagedError it
// returns those before the damage.
func openJournal(path string) (*journal, []*raft.Log, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	j := &journal{file: file, end: journalFrames, buf: make([]byte, frameHeader)}
	logs, err := j.load()
	if err != nil {
		return nil, logs, errors.Join(err, file.Close())
	}
	return j, logs, nil
}

// makeJournal writes the whole file, so that later writes change nothing but its data.
func makeJournal(path string, id uint64) error {
	data := make([]byte, journalSize)
	copy(data[journalPage:], journalHead(id, 1, random64()))
	return atomicfile.Write(path, data, 0o600)
}

func random64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.BigEndian.Uint64(b[:])
}

func journalHead(id, generation, salt uint64) (b []byte) {
	for _, v := range []uint64{journalMagic, id, generation, salt} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// load reads the newest header and all frames of its generation.
func (j *journal) load() ([]*raft.Log, error) {
	data, err := os.ReadFile(j.file.Name())
	if err != nil {
		return nil, err
	}
	if len(data) != journalSize {
		return nil, j.damaged(fmt.Sprintf("it has %d bytes, not %d", len(data), journalSize))
	}
	for at := 0; at < journalFrames; at += journalPage {
		head := data[at : at+journalHeader]
		generation := binary.BigEndian.Uint64(head[16:])
		if binary.BigEndian.Uint64(head) == journalMagic && generation > j.generation &&
			binary.BigEndian.Uint32(head[32:]) == crc32.Checksum(head[:32], castagnoli) {
			j.id, j.salt = binary.BigEndian.Uint64(head[8:]), binary.BigEndian.Uint64(head[24:])
			j.generation = generation
		}
	}
	if j.generation == 0 || binary.BigEndian.Uint64(data[journalFrames:]) > j.generation {
		return nil, j.damaged("its header")
	}
	return j.loadFrames(data)
}

func (j *journal) loadFrames(data []byte) (logs []*raft.Log, err error) {
	for {
		number, payload := j.frame(data, j.end)
		if payload == nil || number != j.frames {
			break
		}
		if logs, err = decodeEntries(logs, payload); err != nil {
			return logs, j.damaged(fmt.Sprintf("frame %d", number))
		}
		j.advance(len(payload))
	}
	for at := j.end; at < journalSize; at += journalPage {
		if number, payload := j.frame(data, at); payload != nil && number > j.frames {
			return logs, j.damaged(fmt.Sprintf("frame %d", j.frames))
		}
	}
	return logs, nil
}

// frame returns what an intact frame of this generation holds, or nil.
func (j *journal) frame(data []byte, at int64) (number uint64, payload []byte) {
	rest := data[min(at, journalSize):]
	if len(rest) < frameHeader || binary.BigEndian.Uint64(rest) != j.generation {
		return 0, nil
	}
	size := binary.BigEndian.Uint32(rest[16:])
	if int64(size) > int64(len(rest)-frameHeader) {
		return 0, nil
	}
	payload = rest[frameHeader : frameHeader+size]
	if binary.BigEndian.Uint32(rest[20:]) != j.checksum(rest[:20], payload) {
		return 0, nil
	}
	return binary.BigEndian.Uint64(rest[8:]), payload
}

func (j *journal) checksum(head, payload []byte) uint32 {
	sum := crc32.Update(0, castagnoli, binary.BigEndian.AppendUint64(nil, j.salt))
	return crc32.Update(crc32.Update(sum, castagnoli, head), castagnoli, payload)
}

func (j *journal) advance(payload int) {
	size := int64(frameHeader + payload)
	j.end += (size + journalPage - 1) / journalPage * journalPage
	j.frames++
}

func (j *journal) damaged(what string) error { return &DamagedError{Path: j.file.Name(), What: what} }

// append makes the entries durable. It reports false, and has done nothing, when there is
// not enough space.
func (j *journal) append(logs []*raft.Log) (fits bool, err error) {
	b := j.buf[:frameHeader]
	for _, l := range logs {
		if int64(len(b)+len(l.Data)) > journalSize-j.end {
			return false, nil
		}
		b = appendEntry(b, l)
	}
	j.buf = b
	if int64(len(b)) > journalSize-j.end {
		return false, nil
	}
	binary.BigEndian.PutUint64(b, j.generation)
	binary.BigEndian.PutUint64(b[8:], j.frames)
	binary.BigEndian.PutUint32(b[16:], uint32(len(b)-frameHeader))
	binary.BigEndian.PutUint32(b[20:], j.checksum(b[:20], b[frameHeader:]))
	if err := j.write(b, j.end); err != nil {
		return false, err
	}
	j.advance(len(b) - frameHeader)
	return true, nil
}

// reset durably forgets all entries.
func (j *journal) reset() error {
	generation, salt := j.generation+1, random64()
	if err := j.write(journalHead(j.id, generation, salt), int64(generation%2)*journalPage); err != nil {
		return err
	}
	j.generation, j.salt, j.frames, j.end = generation, salt, 0, journalFrames
	return nil
}

// write syncs the data alone: the file's size never changes.
func (j *journal) write(b []byte, at int64) error {
	if _, err := j.file.WriteAt(b, at); err != nil {
		return fmt.Errorf("raft journal: %w", err)
	}
	if err := unix.Fdatasync(int(j.file.Fd())); err != nil {
		return fmt.Errorf("raft journal: %w", err)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }

func appendEntry(b []byte, l *raft.Log) []byte {
	b = binary.AppendUvarint(b, l.Index)
	b = binary.AppendUvarint(b, l.Term)
	at := int64(math.MinInt64) // no time
	if !l.AppendedAt.IsZero() {
		at = l.AppendedAt.UnixNano()
	}
	b = binary.AppendVarint(append(b, byte(l.Type)), at)
	b = append(binary.AppendUvarint(b, uint64(len(l.Extensions))), l.Extensions...)
	return append(binary.AppendUvarint(b, uint64(len(l.Data))), l.Data...)
}

var errBadEntry = errors.New("not an entry")

func decodeEntries(logs []*raft.Log, b []byte) ([]*raft.Log, error) {
	for len(b) > 0 {
		r := entryReader{b: b}
		l := &raft.Log{Index: r.uvarint(), Term: r.uvarint(), Type: raft.LogType(r.byte())}
		if at := r.varint(); at != math.MinInt64 {
			l.AppendedAt = time.Unix(0, at)
		}
		l.Extensions, l.Data = r.bytes(), r.bytes()
		if r.bad {
			return logs, errBadEntry
		}
		logs, b = append(logs, l), r.b
	}
	return logs, nil
}

// entryReader reads the parts of an entry; bad is set when one is not there.
type entryReader struct {
	b   []byte
	bad bool
}

func (r *entryReader) skip(n int) {
	if n <= 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return
	}
	r.b = r.b[n:]
}

func (r *entryReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *entryReader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *entryReader) byte() (v byte) {
	if len(r.b) > 0 {
		v = r.b[0]
	}
	r.skip(1)
	return v
}

func (r *entryReader) bytes() []byte {
	n := r.uvarint()
	if n == 0 || n > uint64(len(r.b)) {
		r.bad = r.bad || n != 0
		return nil
	}
	v := append([]byte(nil), r.b[:n]...)
	r.skip(int(n))
	return v
}
