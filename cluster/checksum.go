package cluster

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/hashicorp/raft"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const checksumSize = 4

// entryChecksum covers all of an entry that decides what it does.
func entryChecksum(l *raft.Log, extensions []byte) uint32 {
	var head [17]byte
	binary.BigEndian.PutUint64(head[0:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	sum := crc32.Update(0, castagnoli, head[:])
	sum = crc32.Update(sum, castagnoli, l.Data)
	return crc32.Update(sum, castagnoli, extensions)
}

// sealEntry returns a copy of the entry that carries its checksum behind its
// extensions, where it costs no copy of the data.
func sealEntry(l *raft.Log) *raft.Log {
	sealed := *l
	sealed.Extensions = make([]byte, len(l.Extensions), len(l.Extensions)+checksumSize)
	copy(sealed.Extensions, l.Extensions)
	sealed.Extensions = binary.BigEndian.AppendUint32(sealed.Extensions, entryChecksum(l, l.Extensions))
	return &sealed
}

// unsealEntry checks the entry that was stored at index and takes the checksum
// off it. It reports whether the entry is intact.
func unsealEntry(l *raft.Log, index uint64) bool {
	n := len(l.Extensions) - checksumSize
	if n < 0 || l.Index != index {
		return false
	}
	extensions, sum := l.Extensions[:n:n], binary.BigEndian.Uint32(l.Extensions[n:])
	if entryChecksum(l, extensions) != sum {
		return false
	}
	l.Extensions = extensions
	if n == 0 {
		l.Extensions = nil
	}
	return true
}

// sealValue returns a copy of the value followed by its checksum.
func sealValue(v []byte) []byte {
	sealed := make([]byte, len(v), len(v)+checksumSize)
	copy(sealed, v)
	return binary.BigEndian.AppendUint32(sealed, crc32.Checksum(v, castagnoli))
}

// unsealValue undoes sealValue and reports whether the value is intact.
func unsealValue(sealed []byte) ([]byte, bool) {
	n := len(sealed) - checksumSize
	if n < 0 {
		return nil, false
	}
	v := sealed[:n:n]
	return v, crc32.Checksum(v, castagnoli) == binary.BigEndian.Uint32(sealed[n:])
}
