package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

const (
	logMarkFile = "raft.mark"
	markMagic   = 0x6666_7274_6d61_726b // "ffrtmark"
	markSize    = 56
	markSlot    = 512 // a sector: a write tears at most one of the two slots
)

// logMark is what the log and the votes in it are known to hold on this disk. It is
// kept outside the log, which cannot know by itself that its newest entries are gone.
type logMark struct {
	index, term uint64 // of the last entry
	currentTerm uint64
	voteTerm    uint64
	voteFor     uint32 // checksum of the candidate's id
}

func (m logMark) encode(number uint64) []byte {
	b := make([]byte, 0, markSize)
	for _, v := range []uint64{markMagic, number, m.index, m.term, m.currentTerm, m.voteTerm} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = binary.BigEndian.AppendUint32(b, m.voteFor)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeMark(b []byte) (m logMark, number uint64, ok bool) {
	word := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	if word(0) != markMagic || binary.BigEndian.Uint32(b[52:]) != crc32.Checksum(b[:52], castagnoli) {
		return logMark{}, 0, false
	}
	return logMark{word(2), word(3), word(4), word(5), binary.BigEndian.Uint32(b[48:])}, word(1), true
}

// markFile keeps the mark. It is written after each write to the log has been
// synced, so it never promises more than the log holds; and it is not synced itself,
// which the death of the process does not need and the death of the machine forgives:
// an older mark only finds less. Whoever takes entries back lowers the mark first.
type markFile struct {
	file *os.File

	mu     sync.Mutex
	number uint64 // of writes; it chooses the slot
	mark   logMark
	synced bool
}

// openMark opens the file or makes it. Found is false when it holds no mark.
func openMark(path string) (m *markFile, found bool, err error) {
	_, err = os.Stat(path)
	fresh := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	m = &markFile{file: file, synced: true}
	if fresh {
		if err := atomicfile.SyncDir(filepath.Dir(path)); err != nil {
			return nil, false, errors.Join(err, file.Close())
		}
		return m, false, nil
	}
	for slot := range int64(2) {
		b := make([]byte, markSize)
		if _, err := file.ReadAt(b, slot*markSlot); errors.Is(err, io.EOF) {
			continue
		} else if err != nil {
			return nil, false, errors.Join(err, file.Close())
		}
		if mark, number, ok := decodeMark(b); ok && (!found || number > m.number) {
			m.mark, m.number, found = mark, number, true
		}
	}
	return m, found, nil
}

// update changes the mark to what has become durable.
func (m *markFile) update(change func(*logMark)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writeLocked(change)
}

// lower changes the mark durably, before what it names is taken back.
func (m *markFile) lower(change func(*logMark)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.writeLocked(change); err != nil {
		return err
	}
	return m.syncLocked()
}

func (m *markFile) writeLocked(change func(*logMark)) error {
	mark := m.mark
	change(&mark)
	if mark == m.mark {
		return nil
	}
	m.number++
	if _, err := m.file.WriteAt(mark.encode(m.number), int64(m.number%2)*markSlot); err != nil {
		return fmt.Errorf("raft log's mark: %w", err)
	}
	m.mark, m.synced = mark, false
	return nil
}

// sync bounds what the death of the machine takes from the mark.
func (m *markFile) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.synced {
		return nil
	}
	return m.syncLocked()
}

func (m *markFile) syncLocked() error {
	if err := m.file.Sync(); err != nil {
		return fmt.Errorf("raft log's mark: %w", err)
	}
	m.synced = true
	return nil
}

func (m *markFile) current() logMark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mark
}

func (m *markFile) close() error { return errors.Join(m.sync(), m.file.Close()) }
