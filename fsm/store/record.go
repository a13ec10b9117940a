package store

import (
	"encoding/binary"
	"errors"
)

var errRecord = errors.New("a record is damaged")

// Field is a value of a row that was read from the table's pages.
type Field struct {
	Int  int64
	Text []byte // of a text or blob, valid until the callback returns; nil for NULL and integers
}

// varint reads SQLite's variable-length integer. n is 0 when b is too short.
func varint(b []byte) (v uint64, n int) {
	for i := range min(len(b), 8) {
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	if len(b) < 9 {
		return 0, 0
	}
	return v<<8 | uint64(b[8]), 9
}

// parseRecord reads the columns of a record that into names by number, ascending, into the fields.
func parseRecord(record []byte, columns []int, into []Field) error {
	size, n := varint(record)
	if n == 0 || size > uint64(len(record)) || size < uint64(n) {
		return errRecord
	}
	types, body := record[n:size], record[size:]
	next := 0
	for column := 0; next < len(columns); column++ {
		kind, n := varint(types)
		if n == 0 {
			return errRecord
		}
		length, ok := fieldSize(kind)
		if !ok || length > uint64(len(body)) {
			return errRecord
		}
		types = types[n:]
		if columns[next] == column {
			into[next] = fieldOf(kind, body[:length])
			next++
		}
		body = body[length:]
	}
	return nil
}

// fieldSize is the length of a value of a serial type. Reserved types and real numbers, which no table has, are damage.
func fieldSize(kind uint64) (uint64, bool) {
	switch {
	case kind <= 4:
		return kind, true
	case kind == 5:
		return 6, true
	case kind == 6:
		return 8, true
	case kind == 8, kind == 9:
		return 0, true
	case kind >= 12:
		return (kind - 12) / 2, true
	}
	return 0, false
}

func fieldOf(kind uint64, value []byte) Field {
	switch {
	case kind >= 12:
		return Field{Text: value}
	case kind == 9:
		return Field{Int: 1}
	case len(value) == 0:
		return Field{}
	}
	var word [8]byte
	if value[0]&0x80 != 0 {
		word = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	copy(word[8-len(value):], value)
	return Field{Int: int64(binary.BigEndian.Uint64(word[:]))}
}
