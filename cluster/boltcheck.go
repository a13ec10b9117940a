package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt's file format, version 2.
const (
	boltMagic       = 0xED0CDAED
	boltVersion     = 2
	boltPageHeader  = 16
	boltElement     = 16
	boltMetaSize    = 64
	boltNoFreelist  = ^uint64(0)
	boltBranchPage  = 0x01
	boltLeafPage    = 0x02
	boltFreelist    = 0x10
	boltBucketValue = 0x01
	boltDepth       = 64 // deeper than any tree of 2^64 pages
)

// boltChecker reads a bbolt file page by page before bbolt maps it into memory.
// bbolt panics on a page that it cannot use, part of the time in a goroutine of its
// own, which nobody can recover. It does not check what the values hold: they carry
// checksums of their own.
type boltChecker struct {
	file     io.ReaderAt
	pageSize uint64
	pages    uint64 // in the file
	end      uint64 // the first page that was never used
	seen     map[uint64]bool
}

// checkBolt returns a *DamagedError when bbolt could not use the file.
func checkBolt(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	err = checkBoltPages(f, uint64(info.Size()))
	var read *os.PathError
	if err == nil || errors.As(err, &read) {
		return err
	}
	return &DamagedError{Path: path, What: err.Error()}
}

func checkBoltPages(f io.ReaderAt, size uint64) error {
	meta, err := newestMeta(f, size)
	if err != nil {
		return err
	}
	c := &boltChecker{file: f, pageSize: meta.pageSize, end: meta.end, seen: map[uint64]bool{}}
	c.pages = size / c.pageSize
	if meta.freelist != boltNoFreelist {
		if err := c.freelist(meta.freelist); err != nil {
			return err
		}
	}
	return c.tree(meta.root, 0)
}

// boltMeta is what a meta page says.
type boltMeta struct{ pageSize, root, freelist, end, tx uint64 }

// newestMeta returns the intact meta page of the newest transaction, as bbolt would.
func newestMeta(f io.ReaderAt, size uint64) (newest boltMeta, err error) {
	found := false
	for at := uint64(0); at < size && at <= 1<<20; at = max(2*at, 1024) {
		m, ok, err := readMeta(f, at)
		if err != nil {
			return newest, err
		}
		if ok && (at == 0 || at == m.pageSize) && (!found || m.tx > newest.tx) {
			newest, found = m, true
		}
	}
	if !found {
		return newest, errors.New("no intact meta page")
	}
	return newest, nil
}

func readMeta(f io.ReaderAt, at uint64) (m boltMeta, ok bool, err error) {
	b := make([]byte, boltMetaSize)
	if _, err := f.ReadAt(b, int64(at+boltPageHeader)); errors.Is(err, io.EOF) {
		return m, false, nil
	} else if err != nil {
		return m, false, err
	}
	word := binary.NativeEndian
	sum := fnv.New64a()
	sum.Write(b[:56])
	if word.Uint32(b) != boltMagic || word.Uint32(b[4:]) != boltVersion || word.Uint64(b[56:]) != sum.Sum64() {
		return m, false, nil
	}
	m = boltMeta{
		pageSize: uint64(word.Uint32(b[8:])), root: word.Uint64(b[16:]),
		freelist: word.Uint64(b[32:]), end: word.Uint64(b[40:]), tx: word.Uint64(b[48:]),
	}
	return m, m.pageSize >= 512 && m.pageSize <= 1<<20, nil
}

// read returns a page with its overflow, which no other page may share.
func (c *boltChecker) read(id uint64) ([]byte, error) {
	if id < 2 || id >= c.end || id >= c.pages {
		return nil, fmt.Errorf("page %d is not in the file", id)
	}
	head := make([]byte, boltPageHeader)
	if _, err := c.file.ReadAt(head, int64(id*c.pageSize)); err != nil {
		return nil, err
	}
	overflow := uint64(binary.NativeEndian.Uint32(head[12:]))
	if got := binary.NativeEndian.Uint64(head); got != id {
		return nil, fmt.Errorf("page %d holds page %d", id, got)
	}
	if last := id + overflow; last >= c.end || last >= c.pages {
		return nil, fmt.Errorf("page %d ends after the file", id)
	}
	for i := id; i <= id+overflow; i++ {
		if c.seen[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		c.seen[i] = true
	}
	page := make([]byte, (overflow+1)*c.pageSize)
	_, err := c.file.ReadAt(page, int64(id*c.pageSize))
	return page, err
}

func (c *boltChecker) freelist(id uint64) error {
	page, err := c.read(id)
	if err != nil {
		return err
	}
	count := uint64(binary.NativeEndian.Uint16(page[10:]))
	ids := page[boltPageHeader:]
	if count == 0xFFFF {
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if binary.NativeEndian.Uint16(page[8:]) != boltFreelist || count > uint64(len(ids)/8) {
		return fmt.Errorf("page %d is no list of free pages", id)
	}
	last := uint64(1)
	for i := range count {
		free := binary.NativeEndian.Uint64(ids[8*i:])
		if free <= last || free >= c.end {
			return fmt.Errorf("page %d lists the free page %d", id, free)
		}
		last = free
	}
	return nil
}

// tree checks the pages below id.
func (c *boltChecker) tree(id uint64, depth int) error {
	if depth > boltDepth {
		return fmt.Errorf("page %d is too deep", id)
	}
	page, err := c.read(id)
	if err != nil {
		return err
	}
	return c.page(page, id, depth)
}

// page checks the elements of a page, or of a bucket that is kept within one.
func (c *boltChecker) page(page []byte, id uint64, depth int) error {
	kind, count := binary.NativeEndian.Uint16(page[8:]), uint64(binary.NativeEndian.Uint16(page[10:]))
	if kind != boltBranchPage && kind != boltLeafPage {
		return fmt.Errorf("page %d is of no known kind", id)
	}
	if boltPageHeader+count*boltElement > uint64(len(page)) || kind == boltBranchPage && count == 0 {
		return fmt.Errorf("page %d has %d elements", id, count)
	}
	var before []byte
	for i := range count {
		at := boltPageHeader + i*boltElement
		key, err := c.element(page, at, kind, depth)
		if err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		if i > 0 && bytes.Compare(before, key) >= 0 {
			return fmt.Errorf("page %d: its keys are out of order", id)
		}
		before = key
	}
	return nil
}

// element checks the element at an offset of a page, with what it refers to.
func (c *boltChecker) element(page []byte, at uint64, kind uint16, depth int) (key []byte, err error) {
	word := func(i uint64) uint64 { return uint64(binary.NativeEndian.Uint32(page[at+i:])) }
	if kind == boltBranchPage {
		if key, err = pageRange(page, at+word(0), word(4)); err != nil {
			return nil, err
		}
		return key, c.tree(binary.NativeEndian.Uint64(page[at+8:]), depth+1)
	}
	flags, start, keySize, valueSize := word(0), at+word(4), word(8), word(12)
	if key, err = pageRange(page, start, keySize); err != nil {
		return nil, err
	}
	value, err := pageRange(page, start+keySize, valueSize)
	if err != nil || flags&boltBucketValue == 0 {
		return key, err
	}
	return key, c.bucket(value, depth)
}

// bucket checks a bucket, which has a page of its own or is kept in the value.
func (c *boltChecker) bucket(value []byte, depth int) error {
	if len(value) < 16 {
		return errors.New("a bucket is too short")
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return c.tree(root, depth+1)
	}
	if len(value) < 16+boltPageHeader {
		return errors.New("a bucket is too short")
	}
	return c.page(value[16:], 0, depth+1)
}

func pageRange(page []byte, start, size uint64) ([]byte, error) {
	if start > uint64(len(page)) || size > uint64(len(page))-start {
		return nil, errors.New("an element ends after its page")
	}
	return page[start : start+size], nil
}
