package fsm

import (
	"encoding/binary"
	"errors"
)

// encoder appends values to b: integers as varints, strings with their length.
type encoder struct{ b []byte }

func (e *encoder) uint(v uint64)   { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)     { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) string(s string) { e.uint(uint64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) bytes(s []byte)  { e.uint(uint64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) fixed(s []byte)  { e.b = append(e.b, s...) }
func (e *encoder) texts(list ...string) {
	for _, s := range list {
		e.string(s)
	}
}

func (e *encoder) ints(list ...int64) {
	for _, v := range list {
		e.int(v)
	}
}

func (e *encoder) strings(l []string) {
	e.uint(uint64(len(l)))
	for _, s := range l {
		e.string(s)
	}
}

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

var errTruncated = errors.New("truncated or corrupt")

// decoder reads what encoder wrote. After the first error err is set and every
// method returns a zero value. Lengths are checked against the remaining bytes, so that
// a corrupt entry cannot allocate much memory.
type decoder struct {
	b    []byte
	err  error
	last string // returned by name
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = errTruncated
	}
	d.b = nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// int reads a zigzag integer, as binary.Varint does.
func (d *decoder) int() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) texts(into ...*string) {
	for _, s := range into {
		*s = d.string()
	}
}

func (d *decoder) ints(into ...*int64) {
	for _, v := range into {
		*v = d.int()
	}
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

// view returns bytes that are part of the entry: they must not be kept or changed.
func (d *decoder) view() []byte { return d.take(d.uint()) }

func (d *decoder) string() string { return string(d.view()) }

// name reads a string that often repeats, without allocating it again.
func (d *decoder) name() string {
	if s := d.view(); string(s) != d.last {
		d.last = string(s)
	}
	return d.last
}

func (d *decoder) fixed(into []byte) { copy(into, d.take(uint64(len(into)))) }

func (d *decoder) bool() bool {
	s := d.take(1)
	if len(s) == 1 && s[0] > 1 {
		d.fail()
	}
	return len(s) == 1 && s[0] == 1
}

// count reads the length of a list whose elements take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

// code reads a number below limit.
func (d *decoder) code(limit int) int64 {
	v := d.uint()
	if v >= uint64(limit) {
		d.fail()
		return 0
	}
	return int64(v)
}

func (d *decoder) strings() []string {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.string()
	}
	return list
}
