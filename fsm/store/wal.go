package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The formats are in https://sqlite.org/walformat.html.
const (
	walHeader   = 32
	frameHeader = 24
	indexHeader = 48 // of two copies, at the start of the index
	walMagic    = 0x377f0682
)

// errNoIndex says that SQLite's index of the WAL is not there: nothing shows what the WAL had.
var errNoIndex = errors.New("the index of the state's WAL is missing or empty")

// checkWAL returns nil if the WAL of a database whose process died still has every frame that was
// committed. SQLite itself takes a WAL that ends too early for one whose last transactions were not
// committed, although the database may have later pages. What was committed stands in the index
// beside it, which outlives the process.
func checkWAL(path string) error {
	index, err := readStart(path+"-shm", 2*indexHeader)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoIndex, err)
	}
	if index[12] == 0 { // the first copy is written last
		index = index[indexHeader:]
	}
	if index[12] == 0 {
		return errNoIndex
	}
	native := binary.NativeEndian
	frames := native.Uint32(index[16:])
	if frames == 0 {
		return nil // all of it is in the database
	}
	sum := walSum{native.Uint32(index[24:]), native.Uint32(index[28:])}
	if err := readWAL(path+"-wal", frames, sum); err != nil {
		return fmt.Errorf("the state's WAL has lost transactions: %w", err)
	}
	return nil
}

func readStart(path string, n int) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data := make([]byte, n)
	_, err = io.ReadFull(file, data)
	return data, err
}

// readWAL reads the first frames of a WAL and compares their checksum.
func readWAL(path string, frames uint32, want walSum) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, walHeader)
	if _, err := io.ReadFull(file, head); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(head)&^1 != walMagic {
		return errors.New("it is not a WAL")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[3]&1 == 1 {
		order = binary.BigEndian
	}
	size := binary.BigEndian.Uint32(head[8:])
	if size < 512 || size > 65536 {
		return errors.New("it is not a WAL")
	}
	var sum walSum
	sum.add(order, head[:24])
	intact := sum.is(head[24:])
	frame := make([]byte, frameHeader+size)
	for range frames {
		if _, err := io.ReadFull(file, frame); err != nil {
			return err
		}
		sum.add(order, frame[:8])
		sum.add(order, frame[frameHeader:])
		intact = intact && sum.is(frame[16:]) && bytes.Equal(frame[8:16], head[16:24])
	}
	if !intact || sum != want {
		return errors.New("wrong checksum")
	}
	return nil
}

// walSum is the checksum of all frames so far.
type walSum [2]uint32

func (s *walSum) is(stored []byte) bool {
	return s[0] == binary.BigEndian.Uint32(stored) && s[1] == binary.BigEndian.Uint32(stored[4:])
}

func (s *walSum) add(order binary.ByteOrder, data []byte) {
	for ; len(data) >= 8; data = data[8:] {
		s[0] += order.Uint32(data) + s[1]
		s[1] += order.Uint32(data[4:]) + s[0]
	}
}
